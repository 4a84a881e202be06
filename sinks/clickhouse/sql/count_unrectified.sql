{{- /* The rows in which a value is not the one it should be. */ -}}
SELECT count()
FROM {{name .Database .Name}}
WHERE lapse_record IN (SELECT record FROM {{name .Control .RowTable}} WHERE NOT held) AND (
    {{- range $i, $c := .Rectified}}{{if $i}} OR{{end}}
    notEmpty(ifNull(toString({{name $c.Name}}), '')) AND {{name $c.Name}} != CAST((SELECT any({{name $c.Name}}) FROM {{name $.Control $.ValueTable}}), {{literal $c.Type}})
    {{- end}}
)
