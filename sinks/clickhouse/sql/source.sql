{{- /* The account of a source, by day: what was counted when it was read, and what
       records have become since that were set aside then. */ -}}
SELECT s.state, s.path, s.format, s.bytes, s.run, s.as_of, a.dated, a.day, a.read, a.stored, a.quarantined, a.refused, a.duplicate
FROM (
    SELECT dated, day, toUInt64(sum(n.1)) AS read, toUInt64(sum(n.2)) AS stored, toUInt64(sum(n.3)) AS quarantined, toUInt64(sum(n.4)) AS refused, toUInt64(sum(n.5)) AS duplicate
    FROM (
        SELECT dated, day, (toInt64(read), toInt64(stored), toInt64(quarantined), toInt64(refused), toInt64(duplicate)) AS n
        FROM {{name .Control "sources"}} FINAL WHERE source = {source:UUID}
        UNION ALL
        SELECT from_dated, from_day, (toInt64(-1), toInt64(0), toInt64(-1), toInt64(0), toInt64(0))
        FROM {{name .Control "replays"}} FINAL WHERE source = {source:UUID}
        UNION ALL
        SELECT dated, day, (toInt64(1), toInt64(fate = 'stored'), toInt64(0), toInt64(fate = 'refused'), toInt64(fate = 'duplicate'))
        FROM {{name .Control "replays"}} FINAL WHERE source = {source:UUID}
    )
    GROUP BY dated, day
) AS a
CROSS JOIN (
    SELECT state, path, format, bytes, run, as_of FROM {{name .Control "sources"}} FINAL WHERE source = {source:UUID} AND NOT dated
) AS s
ORDER BY a.dated DESC, a.day
