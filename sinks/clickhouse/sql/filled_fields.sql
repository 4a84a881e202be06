{{- /* The rows with values that are due, by partition. */ -}}
SELECT
    YYYYMMDDToDate(toUInt32OrZero(substring(_partition_id, 1, 8))) AS lapse_day, toUInt32OrZero(substring(_partition_id, 10)) AS lapse_in, count()
FROM {{name .Database .Name}}
WHERE ({{template "field_filled.sql" .}})
    {{- if .Within}} AND _partition_id IN {partitions:Array(String)}{{end}}
    {{- with .Held}} AND NOT {{template "held_row.sql" .}}{{end}}
GROUP BY lapse_day, lapse_in
