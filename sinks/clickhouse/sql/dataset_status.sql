SELECT
    personal.1, personal.2, personal.3,
    {{with .Published}}(SELECT count() FROM {{name .Database .Name}}){{else}}toUInt64(0){{end}},
    record.1, record.2, record.3, record.4, record.5, record.6
FROM (
    SELECT
        (SELECT (count(), toInt32(toDate(min({{name .Personal.Time}}), 'UTC')), toInt32(toDate(max({{name .Personal.Time}}), 'UTC'))) FROM {{name .Personal.Database .Personal.Name}}) AS personal,
        (SELECT (sum(suppressed), count(), minIf(smallest, published > 0), sum(classes), sum(generalised), ifNotFinite(sum(loss * rows) / sum(rows), 0)) FROM {{name .Control "publications"}} FINAL WHERE dataset = {dataset:String}) AS record
)
