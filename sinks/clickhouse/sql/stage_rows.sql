{{- /* The rows at the finest level that they can be published at, a level after the other:
       each takes whole columns of the copy. */ -}}
INSERT INTO {{name .Control .StageTable}} (day, lapse_batch, lapse_level{{range .G.Values}}, {{.Name}}{{end}})
{{- range $i, $level := .Levels}}{{if $i}}
UNION ALL{{end}}
SELECT lapse_day, lapse_batch, {{$level}}{{range $.G.Values}}, {{index .Levels $level}}{{end}}
FROM {{name $.Control $.CopyTable}}
WHERE NOT lapse_tainted AND lapse_cell IN (SELECT lapse_cell FROM {{name $.Control $.LevelTable}} WHERE lapse_level = {{$level}})
{{- end}}
SETTINGS min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, max_insert_threads = 1
