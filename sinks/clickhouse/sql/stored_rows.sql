SELECT toDate({{name .Time}}, 'UTC') AS day, count()
FROM {{name .Database .Name}}
WHERE lapse_source = {source:UInt64}
GROUP BY day
