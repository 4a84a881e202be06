{{- /* Mutations that are not done, how many parts they are still to rewrite, and why one of them
       fails. One that was aborted is tried again: somebody has dropped a part or a partition
       of the table meanwhile. */ -}}
SELECT count(), toUInt64(max(parts_to_do)), anyIf(latest_fail_error_code_name, latest_fail_error_code_name NOT IN ('', 'ABORTED'))
FROM system.mutations
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done
