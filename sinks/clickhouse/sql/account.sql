SELECT s.1, s.2 + r.2, toUInt64(s.3 - r.1), s.4 + r.3, s.5 + r.4
FROM (
    SELECT
        (SELECT (sum(read), sum(stored), sum(quarantined), sum(refused), sum(duplicate)) FROM {{name .Control "sources"}} FINAL) AS s,
        (SELECT (count(), countIf(fate = 'stored'), countIf(fate = 'refused'), countIf(fate = 'duplicate')) FROM {{name .Control "replays"}} FINAL) AS r
)
