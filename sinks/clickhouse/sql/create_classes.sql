CREATE TABLE {{name .Control .ClassTable}} (lapse_class UInt64, lapse_in String, lapse_rows UInt64, lapse_people UInt64)
ENGINE = {{if .InMemory}}Memory{{else}}MergeTree ORDER BY tuple(){{end}}
