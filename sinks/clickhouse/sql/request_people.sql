SELECT request, identifier, subject
FROM {{name .Control "request_people"}} FINAL
WHERE request IN (SELECT request FROM wanted)
ORDER BY request, identifier, subject
