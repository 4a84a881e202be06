SELECT count()
FROM {{name .Control "training"}}
WHERE lapse_record IN (SELECT record FROM {{name .Control .RecordTable}})
