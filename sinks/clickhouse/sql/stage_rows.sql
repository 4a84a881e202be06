INSERT INTO {{name .Control .StageTable}} (day{{range .G.Values}}, {{.Name}}{{end}}, lapse_level, lapse_batch)
SELECT toDate(lapse_event_time, 'UTC'){{range .G.Values}}, {{.Expression}}{{end}}, lapse_level, lapse_batch
FROM (
{{template "rows.sql" .}}
) AS lapse_rows
SEMI LEFT JOIN {{name .Control .LevelTable}} AS lapse_levels USING (lapse_cell)
SETTINGS min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, max_insert_threads = 1
