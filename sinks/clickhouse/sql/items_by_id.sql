SELECT item, bucket, object_key, JSONExtract(derivatives, 'Array(String)'), bytes, at
FROM {{name .Control "training"}}
WHERE kind = 'training_item' AND item IN (SELECT item FROM wanted)
