ALTER TABLE {{name .Control "quarantine"}} DELETE WHERE (lapse_source, lapse_position, lapse_record) IN (SELECT source, position, record FROM {{name .Control .Stage}})
