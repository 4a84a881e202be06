SELECT _partition_id AS lapse_partition, count(), countIf(lapse_level > 0), uniqExact(_part)
FROM {{name .Control .StageTable}}
GROUP BY lapse_partition
