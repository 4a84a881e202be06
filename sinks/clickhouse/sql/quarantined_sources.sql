SELECT s.source, s.state, s.path, s.format, s.bytes, s.as_of, q.records, q.raw_bytes, q.first_seen
FROM (
    SELECT lapse_source, sum(one) AS records, sum(size) AS raw_bytes, max(seen) AS first_seen
    FROM (
        SELECT lapse_source, 1 AS one, length(raw) AS size, first_seen AS seen
        FROM {{name .Control "quarantine"}}
        WHERE {{template "replayable.sql" .}}
        UNION ALL
        SELECT lapse_source, 0, 0, toDateTime64(0, 3, 'UTC') FROM {{name .Control "replaying"}} FINAL WHERE open
    )
    GROUP BY lapse_source
) AS q
INNER JOIN (
    SELECT lapse_source, source, state, path, format, bytes, as_of FROM {{name .Control "sources"}} FINAL WHERE NOT dated
) AS s ON s.lapse_source = q.lapse_source
ORDER BY q.first_seen, s.source
