SELECT _partition_id AS lapse_partition, count(), countIf(lapse_level > 0), uniqExact(_part), sumMap(map(lapse_level, toUInt64(1)))
FROM {{name .Control .StageTable}}
GROUP BY lapse_partition
