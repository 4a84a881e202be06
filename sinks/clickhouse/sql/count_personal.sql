{{- /* The rows of each partition, and the distinct people they are about. */ -}}
SELECT lapse_partition, count(), uniqExact(lapse_subject)
FROM (
{{template "rows.sql" .}}
)
GROUP BY lapse_partition
