{{- /* The texts that would be published as they are, and that hold a direct identifier of
       their partition. Rows that have one are left out from the start. */ -}}
INSERT INTO {{name .Control .TaintTable}}
SELECT lapse_partition, lapse_text
FROM (
    SELECT DISTINCT _partition_id AS lapse_partition, arrayJoin([{{range $i, $text := .SensitiveTexts}}{{if $i}}, {{end}}toString({{$text}}){{end}}]::Array(String)) AS lapse_text
    FROM {{name .G.Personal.Database .G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
)
WHERE {{template "holds_identifier.sql" .}}
SETTINGS max_block_size = 8192
