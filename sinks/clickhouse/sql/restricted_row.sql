{{- /* Whether somebody whom a row is about has asked for restriction. A visitor who is tied
       to them by another row of the table is that person. Where nobody has asked, nothing is
       hashed. */ -}}
(
    0 < (SELECT count() FROM ({{template "restrictions.sql" .}})) AND (
        ({{template "restricted_subject.sql" .}})
        {{- if gt (len .Subjects) 1}}
        {{- range $i, $weaker := .Subjects}}{{if $i}}
        OR {{$weaker}} != '' AND {{$weaker}} IN (
            SELECT {{$weaker}} FROM {{name $.Ties.Database $.Ties.Name}} WHERE {{$weaker}} != '' AND ({{template "restricted_subject.sql" $}})
        )
        {{- end}}{{end}}
        {{- end}}
    )
)
