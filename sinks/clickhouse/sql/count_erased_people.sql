SELECT count()
FROM {{name .Database .Name}}
WHERE lapse_record IN {{name .Control .RecordTable}}
