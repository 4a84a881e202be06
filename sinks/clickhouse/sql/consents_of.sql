SELECT subject, category, granted, decided_at, any(origin), min(recorded_at)
FROM {{name .Control "consents"}}
WHERE subject IN (SELECT unhex(arrayJoin({subjects:Array(String)})))
GROUP BY subject, category, granted, decided_at
ORDER BY decided_at, category, granted DESC
