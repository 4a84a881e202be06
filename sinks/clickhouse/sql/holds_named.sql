{{- /* Whether any hold names nobody, or somebody whom the row is about. */ -}}
0 < (SELECT countIf(subject = toFixedString('', 16) AND organisation = toFixedString('', 16)) FROM ({{template "holds_in_force.sql" .}}))
{{- range .Subjects}}
    OR sipHash128Keyed({{template "hold_key.sql" $}}, {{.}}) IN (SELECT subject FROM ({{template "holds_in_force.sql" $}}))
{{- end}}
{{- with .Organisation}}
    OR sipHash128Keyed({{template "hold_key.sql" $}}, toString({{.}})) IN (SELECT organisation FROM ({{template "holds_in_force.sql" $}}))
{{- end}}
