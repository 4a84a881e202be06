{{- /* The rows of the personal partitions with what each column of the class becomes at its
       levels. If asked, also with the person each is about. */ -}}
SELECT
    _partition_id AS lapse_partition
    {{- range $i, $e := .G.Expressions}},
    {{$e}} AS {{cellValue $i}}
    {{- end}}
    {{- if .WithSubject}},
    {{.G.Subject.Expression}} AS lapse_subject
    {{- end}}
FROM {{name .G.Personal.Database .G.Personal.Name}} AS lapse_rows
{{- if .WithSubject}}
{{- range .G.Subject.Links}}
LEFT ANY JOIN (
    SELECT _partition_id AS lapse_tied_in, {{.Weaker}} AS lapse_weaker, max({{.Stronger}}) AS lapse_stronger
    FROM {{name $.G.Personal.Database $.G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)} AND {{.Weaker}} != '' AND {{.Stronger}} != ''
    GROUP BY lapse_tied_in, lapse_weaker
) AS {{.Alias}} ON lapse_rows.{{.Weaker}} = {{.Alias}}.lapse_weaker AND lapse_rows._partition_id = {{.Alias}}.lapse_tied_in
{{- end}}
{{- end}}
WHERE lapse_rows._partition_id IN {partitions:Array(String)}
