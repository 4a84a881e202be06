SELECT source, path, format, bytes, run, as_of
FROM {{name .Control "sources"}} FINAL
WHERE NOT dated AND state = 'pending'
ORDER BY path
