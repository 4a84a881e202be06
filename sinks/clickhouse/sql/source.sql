SELECT state, path, format, bytes, run, as_of, dated, day, read, stored, quarantined, refused, duplicate
FROM {{name .Control "sources"}} FINAL
WHERE source = {source:UUID}
ORDER BY dated DESC, day
