{{- /* The values that at least so many different people of their partition have. */ -}}
SELECT toString(lapse_partition), {{cellValue 0}}
FROM (
{{template "rows.sql" .}}
) AS lapse_rows
GROUP BY lapse_partition, {{cellValue 0}}
HAVING uniqExact(lapse_subject) >= {{.Least}}
