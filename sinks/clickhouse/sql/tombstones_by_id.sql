SELECT item, object, rule, bytes, objects, uploaded_at, purged_at, models
FROM {{name .Control "tombstones"}} FINAL
WHERE item IN (SELECT item FROM wanted)
