SELECT request, asked_for, received_at
FROM {{name .Control "requests"}} FINAL
WHERE {request:String} IN ('', toString(request))
ORDER BY received_at, request
