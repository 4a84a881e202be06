INSERT INTO {{name .Control .RecordTable}} SELECT DISTINCT record FROM {{name .Control .RowTable}} WHERE NOT held
