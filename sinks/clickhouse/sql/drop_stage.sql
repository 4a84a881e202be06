DROP TABLE IF EXISTS {{range $i, $table := .Tables}}{{if $i}}, {{end}}{{name $.Control $table}}{{end}} SYNC
