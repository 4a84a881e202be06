SELECT _partition_id AS lapse_partition, count(), uniqExact(_part_index)
FROM {{name .Database .Name}}
WHERE _partition_id IN {partitions:Array(String)}
GROUP BY lapse_partition
