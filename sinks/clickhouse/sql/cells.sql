{{- /* The rows of each partition, grouped by all that could be published of them. Of the
       people in a cell only as many are noted as decide: k of one cell make any class
       large enough. Small partitions are worked on in memory, large ones on disk. */ -}}
SELECT any(lapse_rows.lapse_partition) AS lapse_partition, lapse_rows.lapse_cell AS lapse_cell,
    groupUniqArray({{.G.K}})(sipHash128(lapse_rows.lapse_subject)) AS lapse_people
    {{- range $i, $e := .G.Expressions}},
    any(lapse_rows.{{cellValue $i}}) AS {{cellValue $i}}
    {{- end}}
    {{- range .G.Sensitive}},
    groupUniqArray((sipHash64(lapse_subject), sipHash64({{.Value}}))) AS {{.Pairs}}
    {{- end}}
FROM (
{{template "rows.sql" .}}
) AS lapse_rows
GROUP BY lapse_cell
