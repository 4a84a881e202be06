{{- /* Of two decisions at one instant the refusal counts. */ -}}
SELECT subject, category, argMax(granted, (decided_at, NOT granted)), max(decided_at), max(recorded_at)
FROM {{name .Control "consents"}}
WHERE recorded_at >= {since:DateTime64(3, 'UTC')}
GROUP BY subject, category
