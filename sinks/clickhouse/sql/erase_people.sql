ALTER TABLE {{name .Database .Name}} DELETE WHERE lapse_record IN (SELECT record FROM {{name .Control .RowTable}} WHERE NOT held)
