SELECT subject, max(until), argMax(request, until), max(recorded_at)
FROM {{name .Control "erasures"}}
WHERE recorded_at >= {since:DateTime64(3, 'UTC')}
GROUP BY subject
