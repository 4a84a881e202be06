{{- /* What is to be removed from the quarantine. It is listed first: a mutation that looks
       into the table it changes can wait for itself. */ -}}
INSERT INTO {{name .Control .Stage}}
SELECT lapse_source, lapse_position, lapse_record
FROM {{name .Control "quarantine"}}
{{- if .Replayed}}
WHERE (lapse_source, lapse_position) IN (SELECT lapse_source, position FROM {{name .Control "replays"}} WHERE source IN {sources:Array(UUID)})
{{- else}}
WHERE {{template "quarantine_selected.sql"}}
{{- end}}
    AND NOT {{template "held_row.sql" .Held}}
