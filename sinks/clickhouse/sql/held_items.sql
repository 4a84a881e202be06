{{- /* Of some training items, those under a hold: that names nobody or somebody in them,
       no organisation or the one that uploaded them, and the time of the upload. With an
       item goes what its object was before, so a hold on that keeps the item, too. */ -}}
WITH
    objects AS (
        SELECT groupArray((item, at, organisation, subjects)) AS registrations, argMax(item, (at, item)) AS last_item
        FROM {{name .Control "training"}} AS training
        WHERE kind = 'training_item' AND training.item NOT IN ({{template "wanted_buried.sql" .}})
          AND (bucket, object_key) IN ({{template "wanted_objects.sql" .}})
        GROUP BY bucket, object_key
    ),
    (SELECT groupArray((subject, organisation, starts_at, ends_at)) FROM ({{template "holds_in_force.sql" .}})) AS holds
SELECT id
FROM (
    SELECT arrayJoin(arrayFilter(lapse_item -> arrayExists(lapse_held -> lapse_held = lapse_item OR lapse_held != last_item, held), arrayMap(r -> r.1, registrations))) AS id
    FROM (
        SELECT registrations, last_item, arrayMap(r -> r.1, arrayFilter(
            r -> arrayExists(
                lapse_hold -> (lapse_hold.1 = toFixedString('', 16) OR has(arrayMap(lapse_person -> sipHash128Keyed({{template "hold_key.sql" .}}, lapse_person), JSONExtract(r.4, 'Array(String)')), lapse_hold.1))
                    AND (lapse_hold.2 = toFixedString('', 16) OR lapse_hold.2 = sipHash128Keyed({{template "hold_key.sql" .}}, toString(r.3)))
                    AND r.2 >= lapse_hold.3 AND r.2 < lapse_hold.4,
                holds
            ),
            registrations
        )) AS held
        FROM objects
    )
)
WHERE id IN (SELECT item FROM wanted)
