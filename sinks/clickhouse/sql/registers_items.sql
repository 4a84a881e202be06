SELECT toBool(count() > 0) FROM (SELECT 1 FROM {{name .Control "training"}} WHERE kind = 'training_item' LIMIT 1)
