{{- /* What the register says about purged objects: their registrations, and the
       consents given or withdrawn, purposes completed and additions made for them by key,
       unless the key has another object; and the consents of long ago for keys, people and references of
       which nothing is registered. */ -}}
(
    kind = 'training_item' AND item IN ({{template "forgotten_items.sql" .}})
    OR kind IN ('training_consent', 'training_purpose_completed', 'training_addition') AND object_key != '' AND object_key IN (
        SELECT object_key
        FROM {{name .Control "training"}}
        WHERE kind = 'training_item'
        GROUP BY object_key
        HAVING countIf(item NOT IN ({{template "forgotten_items.sql" .}})) = 0
    )
    OR kind IN ('training_consent', 'training_purpose_completed', 'training_addition') AND object_key != '' AND at < {strays:DateTime64(3, 'UTC')} AND object_key NOT IN (
        SELECT object_key FROM {{name .Control "training"}} WHERE kind = 'training_item'
    )
    OR kind = 'training_consent' AND object_key = '' AND subject != '' AND at < {strays:DateTime64(3, 'UTC')} AND subject NOT IN (
        SELECT arrayJoin(JSONExtract(subjects, 'Array(String)')) FROM {{name .Control "training"}} WHERE kind = 'training_item'
    )
    OR kind = 'training_consent' AND object_key = '' AND consent_reference != '' AND at < {strays:DateTime64(3, 'UTC')} AND consent_reference NOT IN (
        SELECT consent_reference FROM {{name .Control "training"}} WHERE kind = 'training_item'
    )
)
