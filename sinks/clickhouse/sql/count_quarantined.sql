SELECT count(), sum(length(raw))
FROM {{name .Control "quarantine"}}
WHERE {{template "quarantine_selected.sql"}} AND NOT {{template "held_row.sql" .Held}}
