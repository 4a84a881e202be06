{{- /* The rows of the copy that could be published, with the person each is about. */ -}}
SELECT lapse_copy.*, {{.G.Copy.Subject}} AS lapse_subject
FROM {{name .Control .CopyTable}} AS lapse_copy
{{- range .G.Copy.Links}}
LEFT ANY JOIN {{name $.Control $.TieTable}} AS {{.Alias}} ON lapse_copy.{{.Who}} = {{.Alias}}.lapse_weaker
{{- end}}
{{- if .WithoutTainted}}
WHERE NOT lapse_tainted
{{- end}}
