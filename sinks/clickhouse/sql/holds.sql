SELECT hold, dataset, subject != toFixedString('', 16), organisation != toFixedString('', 16), starts_at, ends_at, reason, placed_by, placed_at, until_at, released_by, released_at
FROM {{name .Control "holds"}} FINAL
ORDER BY placed_at DESC, hold
