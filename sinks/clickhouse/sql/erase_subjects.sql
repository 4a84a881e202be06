ALTER TABLE {{name .Database .Name}} DELETE WHERE {{.Subject}} IN (SELECT subject FROM {{name .Control .SubjectTable}})
