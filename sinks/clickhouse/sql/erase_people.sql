ALTER TABLE {{name .Database .Name}} DELETE WHERE lapse_record IN {{name .Control .RecordTable}}
