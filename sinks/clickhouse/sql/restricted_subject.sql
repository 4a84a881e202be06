{{- range $i, $s := .Subjects}}{{if $i}} OR {{end}}sipHash128Keyed({{template "hold_key.sql" $}}, {{$s}}) IN ({{template "restrictions.sql" $}}){{end}}
