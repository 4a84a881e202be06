{{- /* The objects of some training items. */ -}}
SELECT bucket, object_key
FROM {{name .Control "training"}}
WHERE kind = 'training_item' AND item IN (SELECT item FROM wanted)
