INSERT INTO {{name .Control .HashTable}}
SELECT lapse_partition, sipHash128(lapse_subject){{range $level, $class := .G.Classes}}, lapse_class_{{$level}}{{end}}
FROM (
{{template "personal_rows.sql" .}}
)
