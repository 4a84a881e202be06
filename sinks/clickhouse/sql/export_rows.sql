{{- /* A dataset as texts, in the order in which it lies. */ -}}
SELECT {{if eq .Format "csv"}}formatRowNoNewline('CSV', {{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}){{else -}}
toJSONString(CAST(tuple({{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}), {{literal .TupleType}})){{end}}
FROM {{name .Database .Name}}
WHERE {{.Day}} BETWEEN {first:Date} AND {last:Date}
{{- if .Subjects}}
    AND NOT {{template "restricted_row.sql" .}}
{{- end}}
SETTINGS output_format_json_quote_64bit_integers = 0
