ALTER TABLE {{name .Control "training"}} DELETE WHERE {{template "forgettable_rows.sql" .}}
