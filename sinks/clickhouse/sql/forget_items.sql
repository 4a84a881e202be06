ALTER TABLE {{name .Control "training"}} DELETE WHERE lapse_record IN (SELECT record FROM {{name .Control .RecordTable}})
