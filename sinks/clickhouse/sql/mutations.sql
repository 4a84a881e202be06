SELECT count(), anyIf(latest_fail_error_code_name, latest_fail_error_code_name != '')
FROM system.mutations
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done
