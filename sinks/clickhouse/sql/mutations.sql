{{- /* Mutations that are not done, and why one of them fails. One that was aborted is
       tried again: somebody has dropped a part or a partition of the table meanwhile. */ -}}
SELECT count(), anyIf(latest_fail_error_code_name, latest_fail_error_code_name NOT IN ('', 'ABORTED'))
FROM system.mutations
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done
