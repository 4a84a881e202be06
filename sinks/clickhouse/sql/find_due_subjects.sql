{{- /* The subjects whose window has passed: whose account was closed, without a
       record of theirs in the dataset since, or who have not been seen. */ -}}
INSERT INTO {{name .Control .SubjectTable}}
{{- if .Event}}
SELECT lapse_subject
FROM (
    SELECT lapse_subject, max(lapse_at) AS lapse_last_at
    FROM (
        {{- range $i, $t := .Own}}{{if $i}} UNION ALL{{end}}
        SELECT {{$.Subject}} AS lapse_subject, {{name $.Time}} AS lapse_at FROM {{name $t.Database $t.Name}}
        {{- end}}
    )
    GROUP BY lapse_subject
) AS held
INNER JOIN (
    SELECT lapse_subject, max(lapse_closed_at) AS lapse_closed_at
    FROM (
        {{- range $i, $w := .Witnesses}}{{if $i}} UNION ALL{{end}}
        SELECT {{$w.Subject}} AS lapse_subject, {{name $w.Time}} AS lapse_closed_at FROM {{name $w.Database $w.Name}} WHERE {{name $w.EventColumn}} = {{literal $.Event}}
        {{- end}}
    )
    GROUP BY lapse_subject
) AS closed USING (lapse_subject)
WHERE lapse_subject != '' AND lapse_closed_at <= {before:DateTime64(3, 'UTC')} AND lapse_last_at <= lapse_closed_at
{{- else}}
SELECT lapse_subject
FROM (
    {{- range $i, $w := .Witnesses}}{{if $i}} UNION ALL{{end}}
    SELECT {{$w.Subject}} AS lapse_subject, {{name $w.Time}} AS lapse_at FROM {{name $w.Database $w.Name}}
    {{- end}}
)
WHERE lapse_subject != ''
GROUP BY lapse_subject
HAVING max(lapse_at) <= {before:DateTime64(3, 'UTC')}
{{- end}}
