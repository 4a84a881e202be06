SELECT count()
FROM {{name .Database .Name}}
WHERE lapse_record IN (SELECT record FROM {{name .Control .RowTable}} WHERE NOT held)
