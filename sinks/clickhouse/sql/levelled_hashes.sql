{{- /* The rows, with hashes of what each column of the class becomes at its levels. */ -}}
SELECT lapse_partition, sipHash64(lapse_subject)
    {{- range .Columns}},
    sipHash64({{template "levels.sql" .}})
    {{- end}}
    {{- range .Sensitive}},
    sipHash64({{.}})
    {{- end}}
FROM (
{{template "rows.sql" .}}
) AS lapse_rows
