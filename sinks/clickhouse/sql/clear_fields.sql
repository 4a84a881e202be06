ALTER TABLE {{name .Database .Name}}
UPDATE {{range $i, $f := .Fields}}{{if $i}}, {{end}}{{name $f.Name}} = {{$f.Empty}}{{end}}
IN PARTITION ID {{literal .Partition}}
WHERE ({{range $i, $f := .Fields}}{{if $i}} OR {{end}}{{$f.Filled}}{{end}})
{{- if .Held}} AND lapse_record NOT IN (SELECT record FROM {{name .Control .HeldTable}}){{end}}
