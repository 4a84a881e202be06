SELECT id, bucket, object_key, made, size, uploaded_at, rule, since, marked_at
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0 AND (bucket, object_key) > ({bucket:String}, {key:String})
ORDER BY bucket, object_key
LIMIT {limit:UInt64}
