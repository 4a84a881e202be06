{{- /* What is held of a person in a table, a text for each row. */ -}}
SELECT {{if eq .Format "csv"}}formatRowNoNewline('CSV', {{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}){{else -}}
toJSONString(CAST(tuple({{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}), {{literal .TupleType}})){{end}}
FROM {{name .Database .Name}}
WHERE lapse_record IN (SELECT record FROM {{name .Control .RowTable}})
ORDER BY {{name .Time}}, lapse_record
SETTINGS max_bytes_before_external_sort = 268435456, output_format_json_quote_64bit_integers = 0
