{{- /* Whether a row names any of the people. */ -}}
({{if .Words}}arrayExists(lapse_word -> lapse_word IN (SELECT subject FROM {{.People}}), {{template "raw_words.sql" .}}){{else}}
{{- range $i, $c := .Columns}}{{if $i}} OR {{end}}{{name $c}} IN (SELECT subject FROM {{$.People}} WHERE identifier = {{literal $c}}){{end}}{{end}})
