{{- /* The rows and the parts of partitions. By part the rows are known without being read. */ -}}
SELECT lapse_partition, sum(lapse_rows), count()
FROM (
    SELECT _partition_id AS lapse_partition, _part AS lapse_part, count() AS lapse_rows
    FROM {{name .Database .Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_partition, lapse_part
)
GROUP BY lapse_partition
