{{- /* What is put right, a text for each column: values stand in no statement. */ -}}
CREATE TABLE {{name .Control .ValueTable}} ({{range $i, $c := .Rectified}}{{if $i}}, {{end}}{{name $c.Name}} String{{end}}) ENGINE = Memory
