SELECT count()
FROM {{name .Control "consents"}}
WHERE (subject, category, decided_at, granted) IN (SELECT subject, category, decided_at, granted FROM {{name .Control .DecisionTable}})
