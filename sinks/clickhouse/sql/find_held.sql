{{- /* The rows of due subjects that are under a hold. They are listed first: a mutation
       that looks into the table it changes can wait for itself. */ -}}
INSERT INTO {{name .Control .HeldTable}}
SELECT lapse_record
FROM {{name .Database .Name}}
WHERE {{.Subject}} IN (SELECT subject FROM {{name .Control .SubjectTable}})
    AND {{template "held_row.sql" .Held}}
