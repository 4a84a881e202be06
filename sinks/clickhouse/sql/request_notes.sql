SELECT request, event, noted_at, reason, clause, noted_by, until_at
FROM {{name .Control "request_notes"}} FINAL
WHERE {request:String} IN ('', toString(request))
ORDER BY request, noted_at, indexOf([{{range $i, $e := .Events}}{{if $i}}, {{end}}{{literal (print $e)}}{{end}}], event)
