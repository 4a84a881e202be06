{{- /* What ties a weaker identifier to the stronger one it is seen with in the same
       partition, so that a visitor who signs in later is not counted twice. */ -}}
INSERT INTO {{name .Control .TieTable}}
{{- range $i, $link := .G.Copy.Links}}{{if $i}}
UNION ALL{{end}}
SELECT {{.Who}} AS lapse_weaker, max({{.Stronger}}) AS lapse_stronger
FROM {{name $.Control $.CopyTable}}
WHERE {{.Who}} != 0 AND {{.Stronger}} != 0
GROUP BY lapse_weaker
{{- end}}
