{{- /* What is left of the partitions: visible rows, and parts of any kind. */ -}}
SELECT lapse_partition, sum(lapse_rows), sum(lapse_active), sum(lapse_inactive), sum(lapse_detached)
FROM (
    SELECT _partition_id AS lapse_partition, count() AS lapse_rows, 0 AS lapse_active, 0 AS lapse_inactive, 0 AS lapse_detached
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_partition
    UNION ALL
    SELECT partition_id, 0, countIf(active), countIf(NOT active), 0
    FROM system.parts
    WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND partition_id IN {partitions:Array(String)}
    GROUP BY partition_id
    UNION ALL
    SELECT partition_id, 0, 0, 0, count()
    FROM system.detached_parts
    WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND partition_id IN {partitions:Array(String)}
    GROUP BY partition_id
)
GROUP BY lapse_partition
