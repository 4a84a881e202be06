{{- /* What the register says about purged objects: their registrations, and the
       consents given or withdrawn for them by key. */ -}}
(
    kind = 'training_item' AND item IN (SELECT item FROM {{name .Control "tombstones"}})
    OR kind = 'training_consent' AND object_key != '' AND object_key IN (
        SELECT object_key FROM {{name .Control "training"}} WHERE kind = 'training_item' AND item IN (SELECT item FROM {{name .Control "tombstones"}}))
)
