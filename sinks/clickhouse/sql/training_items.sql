{{- /* The registered items, the latest registration of each object, up to a time. */ -}}
SELECT
    bucket, object_key,
    latest.1 AS id, latest.2 AS uploaded_at, latest.3 AS uploader, JSONExtract(latest.4, 'Array(String)') AS people, latest.5 AS size, JSONExtract(latest.6, 'Array(String)') AS serves,
    JSONExtract(latest.7, 'Array(String)') AS made, latest.8 AS consented, latest.9 AS consent_by, latest.10 AS reference, latest.11 AS age, latest.12 AS media
FROM (
    SELECT
        bucket, object_key,
        argMax((item, at, organisation, subjects, bytes, purposes, derivatives, consent, consent_by, consent_reference, age, media_type), (at, item)) AS latest
    FROM {{name .Control "training"}}
    WHERE kind = 'training_item' AND at <= {now:DateTime64(3, 'UTC')}
    GROUP BY bucket, object_key
)
