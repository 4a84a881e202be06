{{- /* The texts that could be published, at any level, and that hold a direct
       identifier of their partition. */ -}}
INSERT INTO {{name .Control .TaintTable}}
SELECT lapse_partition, lapse_text
FROM (
    SELECT DISTINCT lapse_partition, arrayJoin([{{range $i, $text := .G.DistinctTexts}}{{if $i}}, {{end}}toString({{$text}}){{end}}]::Array(String)) AS lapse_text
    FROM {{name .Control .CellTable}}
)
WHERE {{template "holds_identifier.sql" .}}
SETTINGS max_block_size = 8192
