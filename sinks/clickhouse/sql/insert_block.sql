INSERT INTO {{name .Table.Database .Table.Name}} ({{range $i, $c := .Columns}}{{if $i}}, {{end}}{{name $c}}{{end}}) VALUES
