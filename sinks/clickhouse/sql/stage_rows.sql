INSERT INTO {{name .Control .StageTable}} (day{{range .G.Values}}, {{.Name}}{{end}}, lapse_level, lapse_batch)
SELECT toDate(event_time, 'UTC'){{range .G.Values}}, {{.Expression}}{{end}}, level, batch
FROM (
{{template "levelled_rows.sql" .}}
)
WHERE level < {{.G.Suppressed}}
SETTINGS min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, max_insert_threads = 1
