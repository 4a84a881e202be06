SELECT uniqExact(record) FROM {{name .Control .RowTable}} WHERE record IN {{name .Control .RecordTable}}
