INSERT INTO {{name .Control .ValueTable}} ({{range $i, $c := .Rectified}}{{if $i}}, {{end}}{{name $c.Name}}{{end}})
