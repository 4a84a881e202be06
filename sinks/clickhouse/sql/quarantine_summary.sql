SELECT q.reason, q.field, s.format, count(), uniqExact(q.lapse_source), min(q.first_seen), max(q.first_seen)
FROM {{name .Control "quarantine"}} AS q
LEFT ANY JOIN (SELECT DISTINCT lapse_source, format FROM {{name .Control "sources"}}) AS s ON s.lapse_source = q.lapse_source
GROUP BY q.reason, q.field, s.format
ORDER BY count() DESC, q.reason, q.field
