{{- /* In small blocks: a record can be as large as it likes. */ -}}
SELECT {{template "quarantined_columns.sql"}}
FROM {{name .Control "quarantine"}}
WHERE lapse_source = {lapse_source:UInt64} AND lapse_position >= {from:UInt64}
    AND lapse_position NOT IN (SELECT position FROM {{name .Control "replays"}} WHERE source = {source:UUID})
    AND {{template "replayable.sql" .}}
ORDER BY lapse_position
LIMIT {limit:UInt64}
SETTINGS max_block_size = 64
