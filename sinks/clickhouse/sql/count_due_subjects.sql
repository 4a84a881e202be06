SELECT count(), uniqExact({{.Subject}})
FROM {{name .Database .Name}}
WHERE {{.Subject}} IN (SELECT subject FROM {{name .Control .SubjectTable}})
{{- if .Held}}
    AND lapse_record NOT IN (SELECT record FROM {{name .Control .HeldTable}})
{{- end}}
