{{- /* The subjects whose window has passed: whose account was closed, without a
       record of theirs in the dataset since, or who have not been seen. */ -}}
INSERT INTO {{name .Control .SubjectTable}}
{{- if .Event}}
SELECT subject
FROM (
    SELECT {{.Subject}} AS subject, max({{name .Time}}) AS last_record_at FROM {{name .Database .Name}} GROUP BY subject
) AS held
INNER JOIN (
    SELECT subject, max(closed_at) AS closed_at
    FROM (
        {{- range $i, $w := .Witnesses}}{{if $i}} UNION ALL{{end}}
        SELECT {{$w.Subject}} AS subject, {{name $w.Time}} AS closed_at FROM {{name $w.Database $w.Name}} WHERE {{name $w.EventColumn}} = {{literal $.Event}}
        {{- end}}
    )
    GROUP BY subject
) AS closed USING (subject)
WHERE subject != '' AND closed_at <= {before:DateTime64(3, 'UTC')} AND last_record_at <= closed_at
{{- else}}
SELECT subject
FROM (
    {{- range $i, $w := .Witnesses}}{{if $i}} UNION ALL{{end}}
    SELECT {{$w.Subject}} AS subject, {{name $w.Time}} AS at FROM {{name $w.Database $w.Name}}
    {{- end}}
)
WHERE subject != ''
GROUP BY subject
HAVING max(at) <= {before:DateTime64(3, 'UTC')}
{{- end}}
