{{- /* A column that a row has no value in stays without one. */ -}}
ALTER TABLE {{name .Database .Name}} UPDATE
{{- range $i, $c := .Rectified}}{{if $i}},{{end}}
    {{name $c.Name}} = if(empty(ifNull(toString({{name $c.Name}}), '')), {{name $c.Name}}, CAST((SELECT any({{name $c.Name}}) FROM {{name $.Control $.ValueTable}}), {{literal $c.Type}}))
{{- end}}
WHERE lapse_record IN (SELECT record FROM {{name .Control .RowTable}} WHERE NOT held)
