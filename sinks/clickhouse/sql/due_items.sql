SELECT id, bucket, object_key, made, size, uploaded_at, rule, since, marked_at
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0
ORDER BY since, id
