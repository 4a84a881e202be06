SELECT _partition_id AS partition, count(), countIf(lapse_level > 0), uniqExact(_part)
FROM {{name .Control .StageTable}}
GROUP BY partition
