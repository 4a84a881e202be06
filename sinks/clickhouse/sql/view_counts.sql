SELECT
{{- range .By}}
    {{name .}},
{{- end}}
    count() AS records
{{- range $m := .Measures}},
    count({{name .Name}}) AS {{name (print .Name "_count")}},
    round(avg({{name .Name}}), 2) AS {{name (print .Name "_mean")}}
{{- range .Quantiles}},
    round(quantileTDigest({{.Level}})({{name $m.Name}}), 2) AS {{name (print $m.Name .Suffix)}}
{{- end}}{{end}}
FROM {{name .Database .Table}}
GROUP BY {{range $i, $c := .By}}{{if $i}}, {{end}}{{name $c}}{{end}}
