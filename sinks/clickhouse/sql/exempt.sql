{{- /* The rows of partitions by whether they may be touched. */ -}}
SELECT
    lapse_partition, toInt32(lapse_first_kept), countIf(lapse_moved), countIf(lapse_held AND NOT lapse_moved),
    countIf(lapse_later AND NOT lapse_held AND NOT lapse_moved), countIf(NOT lapse_later AND NOT lapse_held AND NOT lapse_moved)
FROM (
    SELECT _partition_id AS lapse_partition, {{template "exempt_row.sql" .}}
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
)
GROUP BY lapse_partition, lapse_first_kept
