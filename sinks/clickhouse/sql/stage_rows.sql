INSERT INTO {{name .Control .StageTable}} (day{{range .G.Values}}, {{.Name}}{{end}}, lapse_level, lapse_batch)
SELECT toDate(lapse_event_time, 'UTC'){{range .G.Values}}, {{.Expression}}{{end}}, lapse_level, lapse_batch
FROM (
{{template "levelled_rows.sql" .}}
)
WHERE lapse_level < {{.G.Suppressed}}
SETTINGS min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, max_insert_threads = 1
