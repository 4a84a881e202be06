{{- /* Compares what is published, class by class, with what the personal rows give,
       and counts the people of each class again, by the published values. */ -}}
SELECT partition, countIf(published.n != personal.n), count(), min(personal.people), sum(published.n)
FROM (
    SELECT _partition_id AS partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST({{$v.Name}}, 'String'){{end}}) AS class, count() AS n
    FROM {{name .G.Published.Database .G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY partition, class
) AS published
FULL OUTER JOIN (
    SELECT partition, sipHash128({{range $i, $v := .ClassValues}}{{if $i}}, {{end}}CAST(CAST({{$v.Expression}}, {{literal $v.Type}}), 'String'){{end}}) AS class, count() AS n, uniqExact(subject) AS people
    FROM (
{{template "levelled_rows.sql" .}}
    )
    WHERE level < {{.G.Suppressed}}
    GROUP BY partition, class
) AS personal USING (partition, class)
GROUP BY partition
