{{- /* Whether somebody to be seen has asked that it is kept and not used. */ -}}
arrayExists(lapse_person -> sipHash128Keyed({{template "hold_key.sql" .}}, lapse_person) IN (
    SELECT subject
    FROM {{name .Control "holds"}} FINAL
    WHERE startsWith(reason, {{literal .Restriction}}) AND subject != toFixedString('', 16) AND released_at = toDateTime64(0, 3, 'UTC')
), people)
