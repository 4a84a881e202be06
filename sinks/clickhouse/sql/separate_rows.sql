{{- /* The rows of partitions, those that stay in the next partition of the day, together
       with what is there. Those that an interrupted separation has put there already are
       not put there again. */ -}}
INSERT INTO {{name .Control .StageTable}} ({{range $i, $c := .Columns}}{{if $i}}, {{end}}{{name $c.Name}}{{end}})
SELECT {{range $i, $c := .Columns}}{{if $i}}, {{end}}{{if eq $c.Name "lapse_batch"}}toUInt32(lapse_batch + if(lapse_held OR lapse_later, {{separatedBatches}}, 0)){{else}}{{name $c.Name}}{{end}}{{end}}
FROM (
    SELECT *, {{template "exempt_row.sql" .}}
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
)
WHERE NOT lapse_moved
{{- if .Next}}
UNION ALL
SELECT {{range $i, $c := .Columns}}{{if $i}}, {{end}}{{name $c.Name}}{{end}}
FROM {{name .Database .Name}}
WHERE _partition_id IN {next:Array(String)}
{{- end}}
SETTINGS min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, max_insert_threads = 1
