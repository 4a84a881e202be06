{{- /* The rows of the personal partitions with the person each is about, and the
       hash of the row's class at every level of the chain. A class whose texts hold a
       direct identifier has the hash zero and is never published. Everything is
       counted for each partition by itself, so that it does not matter which others
       are worked on at the same time. */ -}}
SELECT
    {{join .G.Source ", "}},
    {{.G.Time}} AS event_time,
    lapse_batch AS batch,
    rows._partition_id AS partition,
    {{.G.Subject.Expression}} AS subject
    {{- range $level, $class := .G.Classes}},
    if({{range $i, $text := index $.G.Texts $level}}{{if $i}} OR {{end}}(rows._partition_id, {{$text}}) IN (SELECT partition, text FROM {{name $.Control $.TaintTable}}){{else}}false{{end}},
        toFixedString('', 16), sipHash128(rows._partition_id, {{join $class ", "}})) AS class_{{$level}}
    {{- end}}
FROM {{name .G.Personal.Database .G.Personal.Name}} AS rows
{{- range .G.Subject.Links}}
LEFT JOIN (
    SELECT _partition_id AS tied_in, {{.Weaker}} AS weaker, max({{.Stronger}}) AS stronger
    FROM {{name $.G.Personal.Database $.G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)} AND {{.Weaker}} != '' AND {{.Stronger}} != ''
    GROUP BY tied_in, weaker
) AS {{.Alias}} ON rows.{{.Weaker}} = {{.Alias}}.weaker AND rows._partition_id = {{.Alias}}.tied_in
{{- end}}
WHERE rows._partition_id IN {partitions:Array(String)}
