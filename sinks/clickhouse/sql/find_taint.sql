{{- /* The texts that could be published, at any level, and that hold a direct
       identifier of their partition. */ -}}
INSERT INTO {{name .Control .TaintTable}}
SELECT lapse_partition, lapse_text
FROM (
    SELECT DISTINCT lapse_partition, lapse_text
    FROM (
        {{- range $i, $text := .G.DistinctTexts}}{{if $i}}
        UNION ALL{{end}}
        SELECT DISTINCT lapse_partition, toString({{$text}}) AS lapse_text
        FROM {{name $.Control $.CellTable}}
        {{- else}}
        SELECT '' AS lapse_partition, '' AS lapse_text WHERE 0
        {{- end}}
    )
)
WHERE {{template "holds_identifier.sql" .}}
SETTINGS max_block_size = 8192, query_plan_filter_push_down = 0
