SELECT {{template "quarantined_columns.sql"}}
FROM {{name .Control "quarantine"}}
WHERE {{template "quarantine_selected.sql"}}
ORDER BY first_seen, lapse_source, lapse_position
LIMIT {limit:UInt64}
