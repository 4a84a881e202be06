SELECT request, term, value
FROM {{name .Control "request_terms"}} FINAL
WHERE request IN (SELECT request FROM wanted)
ORDER BY request, term, value
