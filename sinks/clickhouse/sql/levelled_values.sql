{{- /* What the hashes of one column stand for. */ -}}
SELECT sipHash64(lapse_levels), lapse_levels
FROM (
    SELECT DISTINCT {{template "levels.sql" index .Columns .Column}} AS lapse_levels
    FROM (
{{template "rows.sql" .}}
    ) AS lapse_rows
)
