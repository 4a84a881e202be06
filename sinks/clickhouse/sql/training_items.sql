{{- /* The registered items, the latest registration of each object, up to a time. */ -}}
SELECT
    bucket, object_key,
    argMax(item, (at, item)) AS id,
    max(at) AS uploaded_at,
    argMax(organisation, (at, item)) AS uploader,
    argMax(JSONExtract(subjects, 'Array(String)'), (at, item)) AS people,
    argMax(bytes, (at, item)) AS size,
    argMax(JSONExtract(purposes, 'Array(String)'), (at, item)) AS serves,
    argMax(JSONExtract(derivatives, 'Array(String)'), (at, item)) AS made,
    argMax(consent, (at, item)) AS consented
FROM {{name .Control "training"}}
WHERE kind = 'training_item' AND at <= {now:DateTime64(3, 'UTC')}
GROUP BY bucket, object_key
