{{- /* The rows of the personal partitions with the person each is about, and the
       hash of the row's class at every level of the chain. A class whose texts hold a
       direct identifier has the hash zero and is never published. Everything is
       counted for each partition by itself, so that it does not matter which others
       are worked on at the same time. */ -}}
SELECT
    {{join .G.Source ", "}},
    {{.G.Time}} AS lapse_event_time,
    lapse_batch,
    lapse_rows._partition_id AS lapse_partition,
    {{.G.Subject.Expression}} AS lapse_subject
    {{- range $level, $class := .G.Classes}},
    if({{range $i, $text := index $.G.Texts $level}}{{if $i}} OR {{end}}(lapse_rows._partition_id, {{$text}}) IN (SELECT partition, text FROM {{name $.Control $.TaintTable}}){{else}}false{{end}},
        toFixedString('', 16), sipHash128(lapse_rows._partition_id, {{join $class ", "}})) AS lapse_class_{{$level}}
    {{- end}}
FROM {{name .G.Personal.Database .G.Personal.Name}} AS lapse_rows
{{- range .G.Subject.Links}}
LEFT JOIN (
    SELECT _partition_id AS lapse_tied_in, {{.Weaker}} AS lapse_weaker, max({{.Stronger}}) AS lapse_stronger
    FROM {{name $.G.Personal.Database $.G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)} AND {{.Weaker}} != '' AND {{.Stronger}} != ''
    GROUP BY lapse_tied_in, lapse_weaker
) AS {{.Alias}} ON lapse_rows.{{.Weaker}} = {{.Alias}}.lapse_weaker AND lapse_rows._partition_id = {{.Alias}}.lapse_tied_in
{{- end}}
WHERE lapse_rows._partition_id IN {partitions:Array(String)}
