SELECT toDate({{name .Time}}, 'UTC') AS lapse_day, count()
FROM {{name .Database .Name}}
WHERE lapse_source = {source:UInt64}
GROUP BY lapse_day
