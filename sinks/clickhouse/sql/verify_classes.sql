{{- /* Compares what is published, class by class, with what the personal rows give,
       and counts the people of each class again, by the published values. */ -}}
SELECT lapse_partition, countIf(lapse_published.lapse_rows != lapse_personal.lapse_rows), count(), min(lapse_personal.lapse_people), sum(lapse_published.lapse_rows)
FROM (
    SELECT _partition_id AS lapse_partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST({{$v.Name}}, {{literal $v.PlainType}}){{end}}) AS lapse_class, count() AS lapse_rows
    FROM {{name .G.Published.Database .G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_partition, lapse_class
) AS lapse_published
FULL OUTER JOIN (
    SELECT lapse_partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST({{$v.Expression}}, {{literal $v.PlainType}}){{end}}) AS lapse_class, count() AS lapse_rows, uniqExact(lapse_subject) AS lapse_people
    FROM (
{{template "rows.sql" .}}
    ) AS lapse_rows
    SEMI LEFT JOIN {{name .Control .LevelTable}} AS lapse_levels USING (lapse_cell)
    GROUP BY lapse_partition, lapse_class
) AS lapse_personal USING (lapse_partition, lapse_class)
GROUP BY lapse_partition
