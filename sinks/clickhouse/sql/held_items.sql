{{- /* Of some training items, those under a hold: that names nobody or somebody in them,
       no organisation or the one that uploaded them, and the time of the upload. */ -}}
SELECT id
FROM (
{{template "training_items.sql" .}}
)
WHERE id IN (SELECT item FROM wanted) AND arrayExists(
    lapse_hold -> (lapse_hold.1 = toFixedString('', 16) OR has(arrayMap(lapse_person -> sipHash128Keyed({{template "hold_key.sql" .}}, lapse_person), people), lapse_hold.1))
        AND (lapse_hold.2 = toFixedString('', 16) OR lapse_hold.2 = sipHash128Keyed({{template "hold_key.sql" .}}, toString(uploader)))
        AND uploaded_at >= lapse_hold.3 AND uploaded_at < lapse_hold.4,
    (SELECT groupArray((subject, organisation, starts_at, ends_at)) FROM ({{template "holds_in_force.sql" .}}))
)
