SELECT count(), uniqExact({{.Subject}})
FROM {{name .Database .Name}}
WHERE {{.Subject}} IN (SELECT subject FROM {{name .Control .SubjectTable}})
