{{- /* The rows of the copy that could be published, with their people and the codes of their
       classes under a random key. */ -}}
SELECT lapse_people.*{{range $i, $code := .G.Copy.Checks}}, {{$code}} AS lapse_check_{{$i}}{{end}}
FROM (
{{template "copied_people.sql" .}}
) AS lapse_people
