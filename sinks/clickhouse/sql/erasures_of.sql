SELECT subject, max(until), argMax(request, until), max(recorded_at)
FROM {{name .Control "erasures"}}
WHERE subject IN (SELECT toFixedString(unhex(arrayJoin({subjects:Array(String)})), 16))
GROUP BY subject
