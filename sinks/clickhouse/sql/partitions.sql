{{- /* The partitions up to a day, but for some, with the rows of files that are not yet ingested whole,
       and the parts that somebody has detached: also where nothing else is left. Each of these
       asks for the day itself: asked for once at the end, it would be worked out for each row. To
       hash what each subject column holds takes less time than to choose the rows for it. */ -}}
SELECT
    YYYYMMDDToDate(toUInt32OrZero(substring(lapse_partition, 1, 8))) AS day, toUInt32OrZero(substring(lapse_partition, 10)) AS batch,
    sum(lapse_rows) AS rows, sum(lapse_people) AS subjects, sum(lapse_bytes) AS bytes, sum(lapse_unfinished) AS unfinished, sum(lapse_detached) AS detached
FROM (
    SELECT
        _partition_id AS lapse_partition, count() AS lapse_rows, uniqExact({{.Subject}}) AS lapse_people, 0 AS lapse_bytes,
        countIf(lapse_source NOT IN (SELECT lapse_source FROM {{name .Control "sources"}} FINAL WHERE NOT dated AND state != 'pending')
            OR lapse_source IN (SELECT lapse_source FROM {{name .Control "replaying"}} FINAL WHERE open)) AS lapse_unfinished,
        0 AS lapse_detached
    FROM {{name .Table.Database .Table.Name}}
    WHERE toUInt32OrZero(substring(_partition_id, 1, 8)) < toYYYYMMDD({before:Date}) AND _partition_id NOT IN {but:Array(String)}
    GROUP BY lapse_partition
    UNION ALL
    SELECT partition_id, 0, 0, sum(bytes_on_disk), 0, 0
    FROM system.parts
    WHERE database = {{literal .Table.Database}} AND table = {{literal .Table.Name}} AND active
        AND toUInt32OrZero(substring(partition_id, 1, 8)) < toYYYYMMDD({before:Date}) AND partition_id NOT IN {but:Array(String)}
    GROUP BY partition_id
    UNION ALL
    SELECT ifNull(partition_id, ''), 0, 0, 0, 0, count()
    FROM system.detached_parts
    WHERE database = {{literal .Table.Database}} AND table = {{literal .Table.Name}} AND match(ifNull(partition_id, ''), '^[0-9]{8}-[0-9]+$')
        AND toUInt32OrZero(substring(ifNull(partition_id, ''), 1, 8)) < toYYYYMMDD({before:Date})
    GROUP BY partition_id
)
GROUP BY lapse_partition
HAVING rows + detached > 0
ORDER BY day, batch
SETTINGS short_circuit_function_evaluation = 'disable'
