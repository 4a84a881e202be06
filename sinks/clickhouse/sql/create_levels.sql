CREATE TABLE {{name .Control .LevelTable}} (lapse_cell FixedString(16), lapse_level UInt8)
ENGINE = {{if .InMemory}}Memory{{else}}MergeTree ORDER BY tuple(){{end}}
