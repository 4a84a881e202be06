{{- /* Counts the published texts that hold a direct identifier of their partition. */ -}}
SELECT partition, count()
FROM (
    SELECT DISTINCT _partition_id AS partition, arrayJoin([{{range $i, $v := .TextValues}}{{if $i}}, {{end}}CAST({{$v.Name}}, 'String'){{end}}]::Array(String)) AS text
    FROM {{name .G.Published.Database .G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
)
WHERE {{template "holds_identifier.sql" .}}
GROUP BY partition
