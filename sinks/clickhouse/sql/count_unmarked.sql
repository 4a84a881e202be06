SELECT count()
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0 AND {only:UInt8} IN (0, rule) AND marked_at = toDateTime64(0, 3, 'UTC')
