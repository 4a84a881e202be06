{{- /* Counts the published texts that hold a direct identifier of their partition. */ -}}
SELECT lapse_partition, count()
FROM (
    {{- range $i, $v := .TextValues}}{{if $i}}
    UNION ALL{{end}}
    SELECT DISTINCT toString(_partition_id) AS lapse_partition, CAST({{$v.Name}}, 'String') AS lapse_text
    FROM {{name $.G.Published.Database $.G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)} AND lapse_text IN (SELECT text FROM {{name $.Control $.MatchTable}})
    {{- else}}
    SELECT '' AS lapse_partition, '' AS lapse_text WHERE 0
    {{- end}}
)
WHERE (lapse_partition, lapse_text) IN (
{{template "named_texts.sql" .}}
)
GROUP BY lapse_partition
