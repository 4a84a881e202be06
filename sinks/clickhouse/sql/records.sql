SELECT lapse_record
FROM {{name .Database .Name}}
WHERE toDate({{name .Time}}, 'UTC') BETWEEN {first:Date} AND {last:Date}
SETTINGS {{template "short.sql"}}
