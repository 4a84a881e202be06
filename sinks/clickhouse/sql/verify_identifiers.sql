{{- /* Counts the published texts that hold a direct identifier of their partition. */ -}}
SELECT lapse_partition, count()
FROM (
    SELECT DISTINCT lapse_partition, CAST(lapse_value, 'String') AS lapse_text
    FROM (
        {{- range $i, $v := .TextValues}}{{if $i}}
        UNION ALL{{end}}
        SELECT lapse_partition, CAST(lapse_value, 'String') AS lapse_value
        FROM (
            SELECT _partition_id AS lapse_partition, {{$v.Name}} AS lapse_value
            FROM {{name $.G.Published.Database $.G.Published.Name}}
            WHERE _partition_id IN {partitions:Array(String)}
            GROUP BY lapse_partition, lapse_value
        )
        {{- else}}
        SELECT '' AS lapse_partition, '' AS lapse_value WHERE 0
        {{- end}}
    )
)
WHERE {{template "holds_identifier.sql" .}}
GROUP BY lapse_partition
SETTINGS max_block_size = 8192, query_plan_filter_push_down = 0
