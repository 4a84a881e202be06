{{- /* Whether a row is under a hold: one that names its person and its organisation, where
       it names any, and its time. A visitor who is tied to a held person by another row of
       the day is that person. The hashes are looked up first: few rows have one that is
       named, and the rest need not be held against every hold. */ -}}
(
    ({{template "holds_named.sql" .}}) AND ({{template "hold_matches.sql" .}})
    {{- if gt (len .Subjects) 1}}
    {{- range $i, $weaker := .Subjects}}{{if $i}}
    OR {{$weaker}} != '' AND {{if $.ByPartition}}(_partition_id, {{$weaker}}){{else}}{{$weaker}}{{end}} IN (
        SELECT {{if $.ByPartition}}_partition_id, {{end}}{{$weaker}}
        FROM {{if $.ByPartition}}{{name $.Database $.Name}}{{else}}{{name $.Everywhere.Database $.Everywhere.Name}}{{end}}
        WHERE {{if $.ByPartition}}_partition_id IN {partitions:Array(String)} AND {{end}}{{$weaker}} != ''
            AND ({{range $j, $column := $.Subjects}}{{if $j}} OR {{end}}sipHash128Keyed({{template "hold_key.sql" $}}, {{$column}}) IN (SELECT subject FROM ({{template "holds_in_force.sql" $}})){{end}})
            AND ({{template "hold_matches.sql" $}})
    )
    {{- end}}{{end}}
    {{- end}}
)
