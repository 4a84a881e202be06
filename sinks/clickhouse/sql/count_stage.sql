SELECT _partition_id AS lapse_partition, count(), countIf(lapse_level > 0), uniqExact(_part_index),
    [{{range $level, $_ := .G.Copy.Classes}}{{if $level}}, {{end}}countIf(lapse_level = {{$level}}){{end}}]
FROM {{name .Control .StageTable}}
GROUP BY lapse_partition
