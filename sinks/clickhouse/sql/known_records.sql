SELECT lapse_record, lapse_source, lapse_position
FROM {{name .Database .Name}}
WHERE toDate({{name .Time}}, 'UTC') BETWEEN {first:Date} AND {last:Date}
  AND lapse_record IN (SELECT record FROM wanted)
SETTINGS {{template "short.sql"}}
