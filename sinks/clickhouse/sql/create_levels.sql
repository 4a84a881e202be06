CREATE TABLE {{name .Control .LevelTable}} (lapse_cell UInt64, lapse_level UInt8)
ENGINE = {{if .InMemory}}Memory{{else}}MergeTree ORDER BY tuple(){{end}}
