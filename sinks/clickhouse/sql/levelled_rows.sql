{{- /* The same rows with their level: the first at which their class was found large enough. */ -}}
SELECT *, multiIf({{range $level, $class := .G.Classes}}lapse_class_{{$level}} IN (SELECT class FROM {{name $.Control $.ClassTable}} WHERE level = {{$level}}), {{$level}}, {{end}}{{.G.Suppressed}}) AS lapse_level
FROM (
{{template "personal_rows.sql" .}}
)
