SELECT partition, sum(personal), sum(published)
FROM (
    SELECT _partition_id AS partition, count() AS personal, 0 AS published
    FROM {{name .Personal.Database .Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY partition
    {{- with .Published}}
    UNION ALL
    SELECT _partition_id AS partition, 0, count()
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY partition
    {{- end}}
)
GROUP BY partition
