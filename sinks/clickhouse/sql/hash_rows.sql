INSERT INTO {{name .Control .HashTable}}
SELECT partition, sipHash128(subject){{range $level, $class := .G.Classes}}, class_{{$level}}{{end}}
FROM (
{{template "personal_rows.sql" .}}
)
