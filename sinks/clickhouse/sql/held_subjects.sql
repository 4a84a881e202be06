{{- /* Of some people, those whom a hold in force names, or all if one names nobody. */ -}}
SELECT DISTINCT subject
FROM wanted
WHERE sipHash128Keyed({{template "hold_key.sql" .}}, subject) IN (SELECT subject FROM {{name .Control "holds"}} FINAL WHERE released_at = toDateTime64(0, 3, 'UTC') AND (until_at = toDateTime64(0, 3, 'UTC') OR until_at > {held_at:DateTime64(3, 'UTC')}))
    OR 0 < (SELECT count() FROM {{name .Control "holds"}} FINAL WHERE subject = toFixedString('', 16) AND released_at = toDateTime64(0, 3, 'UTC') AND (until_at = toDateTime64(0, 3, 'UTC') OR until_at > {held_at:DateTime64(3, 'UTC')}))
