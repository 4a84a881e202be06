{{- /* The partitions up to a day, with the rows of files that are not yet ingested whole. */ -}}
SELECT day, batch, rows, subjects, bytes, unfinished
FROM (
    SELECT
        _partition_id AS partition, toDate(any({{name .Table.Time}}), 'UTC') AS day, any(lapse_batch) AS batch,
        count() AS rows, uniqExact({{.Subject}}) AS subjects,
        countIf(lapse_source NOT IN (SELECT lapse_source FROM {{name .Control "sources"}} FINAL WHERE NOT dated AND state != 'pending')) AS unfinished
    FROM {{name .Table.Database .Table.Name}}
    WHERE toDate({{name .Table.Time}}, 'UTC') < {before:Date}
    GROUP BY partition
) AS held
LEFT JOIN (
    SELECT partition_id AS partition, sum(bytes_on_disk) AS bytes
    FROM system.parts
    WHERE database = {{literal .Table.Database}} AND table = {{literal .Table.Name}} AND active
    GROUP BY partition
) AS parts USING (partition)
ORDER BY day, batch
