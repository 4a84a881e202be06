{{- /* The rows of each partition, grouped by all that could be published of them. Of the
       people in a cell only as many are noted as decide: k of one cell make any class
       large enough. Small partitions are worked on in memory, large ones on disk. */ -}}
SELECT lapse_cell, {{if .G.Sensitive}}any(toString(lapse_partition)) AS lapse_partition, {{end}}groupUniqArray({{.G.K}})(lapse_subject) AS lapse_people
    {{- range $i, $_ := .G.Copy.Classes}},
    any(lapse_class_{{$i}}) AS lapse_class_{{$i}}
    {{- end}}
    {{- range $i, $hash := .G.Copy.TextFlags}},
    {{if $.Named}}max({{$hash}} IN (SELECT hash FROM {{name $.Control $.TaintTable}})){{else}}false{{end}} AS lapse_tainted_{{$i}}
    {{- end}}
    {{- range .G.Sensitive}},
    groupUniqArray((lapse_subject, sipHash64({{.Value}}))) AS {{.Pairs}}
    {{- end}}
FROM (
{{template "copied_people.sql" .}}
) AS lapse_rows
GROUP BY lapse_cell
