{{- /* The expressions are the columns' own defaults, as the catalogue has them. */ -}}
SELECT year, position, entry, true{{range .Columns}} AND {{name .Name}} = ({{.Expression}}){{end}}
FROM {{name .Control "audit"}} FINAL
ORDER BY year, position
