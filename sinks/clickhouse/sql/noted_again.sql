{{- /* Hashes of the objects that have more than one registration or addition. */ -}}
SELECT cityHash64(bucket, object_key) AS object
FROM {{name .Control "training"}}
WHERE kind IN ('training_item', 'training_addition') AND at <= {now:DateTime64(3, 'UTC')}
GROUP BY object
HAVING count() > 1
