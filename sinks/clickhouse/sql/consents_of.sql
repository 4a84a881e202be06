SELECT subject, category, granted, decided_at, any(origin), min(recorded_at)
FROM {{name .Control "consents"}}
WHERE subject IN (SELECT toFixedString(unhex(arrayJoin({subjects:Array(String)})), 16))
GROUP BY subject, category, granted, decided_at
ORDER BY decided_at, category, granted DESC
