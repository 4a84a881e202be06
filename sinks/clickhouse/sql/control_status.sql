SELECT
    (SELECT countIf(state = 'complete') FROM {{name .Control "sources"}} FINAL WHERE NOT dated),
    (SELECT countIf(state = 'pending') FROM {{name .Control "sources"}} FINAL WHERE NOT dated),
    (SELECT count() FROM {{name .Control "quarantine"}}),
    (SELECT countIf(kind = 'training_item') FROM {{name .Control "training"}}),
    (SELECT count() FROM {{name .Control "tombstones"}} FINAL)
