{{- /* The registered items up to a time: the latest registration of each object, and those
       that it has superseded, with its id. An object serves the purposes of its latest
       registration and those added since. What was made from it, where that is asked for, is
       what any registration or later note names.

       Of most objects no later note says anything: their rows are told apart by a hash, which
       may only take too many for others, and need not be grouped by their keys. */ -}}
SELECT
    bucket, object_key,
    item AS id, at AS uploaded_at, organisation AS uploader, JSONExtract(subjects, 'Array(String)') AS people, bytes AS size,
    arrayDistinct(JSONExtract(purposes, 'Array(String)')) AS serves,
    {{- if .Made}} arrayDistinct(JSONExtract(derivatives, 'Array(String)')) AS made,{{end}}
    consent AS consented, consent_by, consent_reference AS reference, age, media_type AS media, '' AS superseded_by
FROM {{name .Control "training"}}
WHERE kind = 'training_item' AND at <= {now:DateTime64(3, 'UTC')} AND item != '' AND cityHash64(bucket, object_key) NOT IN ({{template "noted_again.sql" .}})
UNION ALL
SELECT
    bucket, object_key,
    latest.1, latest.2, latest.3, JSONExtract(latest.4, 'Array(String)'), latest.5,
    {{template "serves.sql"}},
    {{- if .Made}} if(latest.1 = last_item, {{template "made.sql"}}, arrayDistinct(JSONExtract(latest.12, 'Array(String)'))),{{end}}
    latest.7, latest.8, latest.9, latest.10, latest.11, if(latest.1 = last_item, '', last_item)
FROM (
    SELECT
        bucket, object_key,
        groupArrayIf((item, at, organisation, subjects, bytes, purposes, consent, consent_by, consent_reference, age, media_type, derivatives), kind = 'training_item') AS registrations,
        argMaxIf(item, (at, item), kind = 'training_item') AS last_item,
        {{if .Made}}groupUniqArray(derivatives) AS lists, {{end}}groupArrayIf((at, purposes), kind = 'training_addition') AS additions
    FROM {{name .Control "training"}}
    WHERE kind IN ('training_item', 'training_addition') AND at <= {now:DateTime64(3, 'UTC')} AND cityHash64(bucket, object_key) IN ({{template "noted_again.sql" .}})
    GROUP BY bucket, object_key
)
ARRAY JOIN registrations AS latest
WHERE latest.1 != ''
