SELECT lapse_partition, sum(lapse_personal), sum(lapse_published)
FROM (
    SELECT _partition_id AS lapse_partition, count() AS lapse_personal, 0 AS lapse_published
    FROM {{name .Personal.Database .Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_partition
    {{- with .Published}}
    UNION ALL
    SELECT _partition_id AS lapse_partition, 0, count()
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_partition
    {{- end}}
)
GROUP BY lapse_partition
