{{- /* Compares the sensitive values that are published, class by class, with those of the
       personal rows, and counts the classes in which they are not as different as asked:
       by people, who are counted from the personal rows. */ -}}
SELECT lapse_partition, sum(lapse_different), countIf(lapse_different = 0 AND NOT ({{.Sensitive.Condition}}))
FROM (
    SELECT lapse_partition, lapse_class, sum(lapse_published.lapse_rows != lapse_personal.lapse_rows) AS lapse_different,
        groupArray(lapse_personal.lapse_people) AS lapse_counts, groupArray(lapse_share) AS lapse_shares
    FROM (
        SELECT _partition_id AS lapse_partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST({{$v.Name}}, {{literal $v.PlainType}}){{end}}) AS lapse_class, {{.Sensitive.PublishedValue}} AS lapse_sensitive, count() AS lapse_rows
        FROM {{name .G.Published.Database .G.Published.Name}}
        WHERE _partition_id IN {partitions:Array(String)}
        GROUP BY lapse_partition, lapse_class, lapse_sensitive
    ) AS lapse_published
    FULL OUTER JOIN (
        SELECT lapse_partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST({{$v.Expression}}, {{literal $v.PlainType}}){{end}}) AS lapse_class, {{.Sensitive.Value}} AS lapse_sensitive, count() AS lapse_rows, uniqExact(lapse_subject) AS lapse_people
        FROM (
{{template "rows.sql" .}}
        ) AS lapse_rows
        SEMI LEFT JOIN {{name .Control .LevelTable}} AS lapse_levels USING (lapse_cell)
        GROUP BY lapse_partition, lapse_class, lapse_sensitive
    ) AS lapse_personal USING (lapse_partition, lapse_class, lapse_sensitive)
    LEFT JOIN (
        SELECT lapse_partition, {{.Sensitive.Value}} AS lapse_sensitive, uniqExact(lapse_subject) / sum(uniqExact(lapse_subject)) OVER (PARTITION BY lapse_partition) AS lapse_share
        FROM (
{{template "rows.sql" .}}
        ) AS lapse_rows
        GROUP BY lapse_partition, lapse_sensitive
    ) AS lapse_overall USING (lapse_partition, lapse_sensitive)
    GROUP BY lapse_partition, lapse_class
)
GROUP BY lapse_partition
