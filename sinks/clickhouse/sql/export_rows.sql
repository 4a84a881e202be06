{{- /* A dataset as texts, in the order in which it lies. */ -}}
SELECT {{if eq .Format "csv"}}formatRowNoNewline('CSV', {{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}){{else -}}
toJSONString(CAST(tuple({{range $i, $c := .Selected}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}), {{literal .TupleType}})){{end}}
FROM {{name .Database .Name}}
WHERE {{.Day}} BETWEEN {first:Date} AND {last:Date}
{{- range .Subjects}}
    AND sipHash128Keyed({{template "hold_key.sql" $}}, {{.}}) NOT IN (
        SELECT subject FROM {{name $.Control "holds"}} FINAL
        WHERE startsWith(reason, {{literal $.Restriction}}) AND subject != toFixedString('', 16) AND released_at = toDateTime64(0, 3, 'UTC'))
{{- end}}
SETTINGS output_format_json_quote_64bit_integers = 0
