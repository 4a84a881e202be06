{{- /* The registrations of objects that were purged, those that were superseded before
       that too. What was registered under the same key afterwards is another object. */ -}}
SELECT item
FROM {{name .Control "training"}}
INNER JOIN (
    SELECT bucket, object_key, max(at) AS buried_at
    FROM {{name .Control "training"}}
    WHERE kind = 'training_item' AND item IN (SELECT item FROM {{name .Control "tombstones"}})
    GROUP BY bucket, object_key
) AS buried USING (bucket, object_key)
WHERE kind = 'training_item' AND at <= buried_at
