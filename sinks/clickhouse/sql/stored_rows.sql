{{- /* Asked by itself, the source is looked for before the day of each row is worked out. */ -}}
SELECT toDate({{name .Time}}, 'UTC') AS lapse_day, count()
FROM {{name .Database .Name}}
PREWHERE lapse_source = {source:UInt64}
WHERE lapse_day BETWEEN {first:Date} AND {last:Date}
GROUP BY lapse_day
