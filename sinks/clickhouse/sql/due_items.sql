SELECT id, bucket, object_key, size, uploaded_at, rule, since, marked_at
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0 AND (bucket, object_key, id) > ({bucket:String}, {key:String}, {item:String})
ORDER BY bucket, object_key, id
LIMIT {limit:UInt64}
