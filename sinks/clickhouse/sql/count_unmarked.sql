SELECT count()
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0 AND marked_at = toDateTime64(0, 3, 'UTC')
