{{- /* Which registrations of the objects of some training items have a tombstone. */ -}}
SELECT item
FROM {{name .Control "tombstones"}}
WHERE item IN (SELECT item FROM {{name .Control "training"}} WHERE kind = 'training_item' AND (bucket, object_key) IN ({{template "wanted_objects.sql" .}}))
