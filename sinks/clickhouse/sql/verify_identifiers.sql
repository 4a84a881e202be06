{{- /* Counts the published texts that hold a direct identifier of their partition. */ -}}
SELECT lapse_partition, count()
FROM (
    SELECT DISTINCT _partition_id AS lapse_partition, arrayJoin([{{range $i, $v := .TextValues}}{{if $i}}, {{end}}CAST({{$v.Name}}, 'String'){{end}}]::Array(String)) AS lapse_text
    FROM {{name .G.Published.Database .G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
)
WHERE {{template "holds_identifier.sql" .}}
GROUP BY lapse_partition
SETTINGS max_block_size = 8192
