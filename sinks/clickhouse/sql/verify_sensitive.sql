{{- /* Compares the sensitive values that are published, class by class, with those of the
       rows that it was made of, and counts the classes in which they are not as different
       as asked: by people, who are counted from those rows. */ -}}
SELECT lapse_partition, sum(lapse_different), countIf(lapse_different = 0 AND NOT ({{.Sensitive.Condition}}))
FROM (
    SELECT lapse_partition, lapse_class, sum(lapse_published.lapse_rows != lapse_personal.lapse_rows) AS lapse_different,
        groupArray(lapse_personal.lapse_people) AS lapse_counts, groupArray(lapse_share) AS lapse_shares
    FROM (
        SELECT toString(_partition_id) AS lapse_partition, {{.G.PublishedClass}} AS lapse_class, {{.Sensitive.PublishedValue}} AS lapse_sensitive, count() AS lapse_rows
        FROM {{name .G.Published.Database .G.Published.Name}}
        WHERE _partition_id IN {partitions:Array(String)}
        GROUP BY lapse_partition, lapse_class, lapse_sensitive
    ) AS lapse_published
    FULL OUTER JOIN (
        SELECT toString(lapse_partition) AS lapse_partition, {{if .Levels}}multiIf({{range .Levels}}lapse_level = {{.}}, lapse_check_{{.}}, {{end}}0){{else}}toUInt64(0){{end}} AS lapse_class, {{.Sensitive.Value}} AS lapse_sensitive, count() AS lapse_rows, uniqExact(lapse_subject) AS lapse_people
        FROM (
{{template "checked_people.sql" .}}
        ) AS lapse_rows
        SEMI LEFT JOIN {{name .Control .LevelTable}} AS lapse_levels USING (lapse_cell)
        GROUP BY lapse_partition, lapse_class, lapse_sensitive
    ) AS lapse_personal USING (lapse_partition, lapse_class, lapse_sensitive)
    LEFT JOIN (
        SELECT toString(lapse_partition) AS lapse_partition, {{.Sensitive.Value}} AS lapse_sensitive, uniqExact(lapse_subject) / sum(uniqExact(lapse_subject)) OVER (PARTITION BY lapse_partition) AS lapse_share
        FROM (
{{template "copied_people.sql" .}}
        ) AS lapse_rows
        GROUP BY lapse_partition, lapse_sensitive
    ) AS lapse_overall USING (lapse_partition, lapse_sensitive)
    GROUP BY lapse_partition, lapse_class
)
GROUP BY lapse_partition
