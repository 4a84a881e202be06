{{- /* Few rows pass the first condition: asked by itself, the day is worked out for these alone. */ -}}
SELECT lapse_record, lapse_source, lapse_position
FROM {{name .Database .Name}}
PREWHERE lapse_record IN (SELECT record FROM wanted)
WHERE toDate({{name .Time}}, 'UTC') BETWEEN {first:Date} AND {last:Date}
SETTINGS {{template "short.sql"}}
