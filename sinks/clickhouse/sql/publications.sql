SELECT dataset, day, batch, step, rows, subjects, published, generalised, suppressed, loss, k, classes, smallest, query, verified_at, dropped_at, early
FROM {{name .Control "publications"}} FINAL
WHERE dataset = {dataset:String} AND (day, batch) IN (SELECT day, batch FROM wanted)
