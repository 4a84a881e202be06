{{- /* The texts that may not be published, by partition. */ -}}
INSERT INTO {{name .Control .TaintTable}}
SELECT {{textHash "lapse_partition" "lapse_text"}}
FROM (
{{template "named_texts.sql" .}}
)
