{{- /* The rows of each partition, and the distinct people they are about. */ -}}
SELECT toString(lapse_partition), count(), uniqExact(lapse_subject)
FROM (
{{template "copied_people.sql" .}}
)
GROUP BY lapse_partition
