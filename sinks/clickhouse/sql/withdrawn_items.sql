SELECT id, at, reason, gone
FROM (
    SELECT id, marked_at AS at, [{{range $i, $rule := .Rules}}{{if $i}}, {{end}}{{literal $rule}}{{end}}][rule] AS reason, 0 AS gone
    FROM (
{{template "judged_items.sql" .}}
    )
    WHERE rule > 0 AND marked_at > toDateTime64(0, 3, 'UTC')
    UNION ALL
    SELECT item, purged_at, toString(rule), 1
    FROM {{name .Control "tombstones"}} FINAL
)
WHERE at >= {since:DateTime64(3, 'UTC')}
ORDER BY at, id
