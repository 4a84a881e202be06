{{- /* Whether an identifier is that of an organisation. */ -}}
identifier IN ({{range $i, $c := .Organisations}}{{if $i}}, {{end}}{{literal $c}}{{else}}''{{end}})
