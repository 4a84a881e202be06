{{- /* What is left of the partitions: visible rows, and parts of any kind. */ -}}
SELECT partition, sum(rows), sum(active), sum(inactive), sum(detached)
FROM (
    SELECT _partition_id AS partition, count() AS rows, 0 AS active, 0 AS inactive, 0 AS detached
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY partition
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
GROUP BY partition
