SELECT {{range $i, $c := .Columns}}{{if $i}}, {{end}}{{$c}}{{end}}
FROM {{name .Database .Name}}
{{- if .Subjects}}
WHERE NOT {{template "restricted_row.sql" .}}
{{- end}}
