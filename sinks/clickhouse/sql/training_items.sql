{{- /* The registered items, the latest registration of each object, up to a time. What was
       made from an object goes with it, whichever registration or later note names it;
       it serves the purposes of its latest registration and those added since. */ -}}
SELECT
    bucket, object_key,
    latest.1 AS id, latest.2 AS uploaded_at, latest.3 AS uploader, JSONExtract(latest.4, 'Array(String)') AS people, latest.5 AS size,
    {{template "serves.sql"}} AS serves, {{template "made.sql"}} AS made,
    latest.7 AS consented, latest.8 AS consent_by, latest.9 AS reference, latest.10 AS age, latest.11 AS media
FROM (
    SELECT
        bucket, object_key,
        argMaxIf((item, at, organisation, subjects, bytes, purposes, consent, consent_by, consent_reference, age, media_type), (at, item), kind = 'training_item') AS latest,
        groupUniqArray(derivatives) AS lists, groupArrayIf((at, purposes), kind = 'training_addition') AS additions
    FROM {{name .Control "training"}}
    WHERE kind IN ('training_item', 'training_addition') AND at <= {now:DateTime64(3, 'UTC')}
    GROUP BY bucket, object_key
)
WHERE id != ''
