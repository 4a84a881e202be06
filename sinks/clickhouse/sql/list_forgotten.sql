INSERT INTO {{name .Control .RecordTable}} SELECT lapse_record FROM {{name .Control "training"}} WHERE {{template "forgettable_rows.sql" .}}
