{{- /* The decisions about consent that concern a registration, with the registration's
       id: those for its key, for a person in it, for its organisation, and for the
       consent it refers to, at or after its upload. There are few of them. */ -}}
WITH decisions AS (
    SELECT bucket, object_key, subject, organisation, consent_reference, at, decision, consent_by
    FROM {{name .Control "training"}}
    WHERE kind = 'training_consent' AND at <= {now:DateTime64(3, 'UTC')}
)
SELECT item AS id, 'item' AS about, d.at AS at, d.decision AS decision, d.consent_by AS consent_by
FROM {{name .Control "training"}} AS i
INNER JOIN decisions AS d USING (object_key)
WHERE i.kind = 'training_item' AND object_key != '' AND d.at >= i.at AND d.bucket IN ('', i.bucket)
UNION ALL
SELECT item, 'subject', d.at, d.decision, d.consent_by
FROM (SELECT item, at, arrayJoin(JSONExtract(subjects, 'Array(String)')) AS subject FROM {{name .Control "training"}} WHERE kind = 'training_item') AS i
INNER JOIN decisions AS d USING (subject)
WHERE subject != '' AND d.object_key = '' AND d.at >= i.at
UNION ALL
SELECT item, 'organisation', d.at, d.decision, d.consent_by
FROM {{name .Control "training"}} AS i
INNER JOIN decisions AS d USING (organisation)
WHERE i.kind = 'training_item' AND organisation != '' AND d.object_key = '' AND d.subject = '' AND d.consent_reference = '' AND d.at >= i.at
UNION ALL
SELECT item, 'reference', d.at, d.decision, d.consent_by
FROM {{name .Control "training"}} AS i
INNER JOIN decisions AS d USING (consent_reference)
WHERE i.kind = 'training_item' AND consent_reference != '' AND d.at >= i.at
