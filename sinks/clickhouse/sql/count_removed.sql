SELECT count(), sum(length(raw)) FROM {{name .Control "quarantine"}} WHERE (lapse_source, lapse_position, lapse_record) IN (SELECT source, position, record FROM {{name .Control .Stage}})
