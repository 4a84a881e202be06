SELECT subject, max(until), argMax(request, until), max(recorded_at)
FROM {{name .Control "erasures"}}
WHERE subject IN (SELECT unhex(arrayJoin({subjects:Array(String)})))
GROUP BY subject
