SELECT
    id, multiIf(rule = 0 AND {{template "restricted_item.sql" .}}, 'restricted', rule = 0, 'active', marked_at = toDateTime64(0, 3, 'UTC'), 'due', 'marked') AS state,
    bucket, object_key, uploader, media, size, uploaded_at, serves, arrayFilter((p, times) -> empty(times), serves, completions), people, reference, age, made,
    rule, since, marked_at
FROM (
{{template "judged_items.sql" .}}
)
WHERE {item:String} IN ('', id)
  AND {bucket:String} IN ('', bucket)
  AND {key:String} IN ('', object_key)
  AND {organisation:String} IN ('', uploader)
  AND ({purpose:String} = '' OR has(serves, {purpose:String}))
  AND {state:String} IN ('', state)
ORDER BY bucket, object_key, current, id
