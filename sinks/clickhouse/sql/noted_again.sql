{{- /* Hashes of the objects of which a later note says something: that have another
       registration, or an addition of purposes, or, where it is asked for, of what was made. */ -}}
SELECT cityHash64(bucket, object_key) AS object
FROM {{name .Control "training"}}
WHERE (kind = 'training_item' OR kind = 'training_addition'{{if not .Made}} AND purposes NOT IN ('', '[]'){{end}}) AND at <= {now:DateTime64(3, 'UTC')}
GROUP BY object
HAVING count() > 1
