ALTER TABLE {{name .Control "consents"}} DELETE WHERE (subject, category, decided_at, granted) IN (SELECT subject, category, decided_at, granted FROM {{name .Control .DecisionTable}})
