INSERT INTO {{name .Control "training_marks"}} (item, event, at, rule)
SELECT id, 'marked', {now:DateTime64(3, 'UTC')}, [{{range $i, $rule := .Rules}}{{if $i}}, {{end}}{{literal $rule}}{{end}}][rule]
FROM (
{{template "judged_items.sql" .}}
)
WHERE rule > 0 AND {only:UInt8} IN (0, rule) AND marked_at = toDateTime64(0, 3, 'UTC')
