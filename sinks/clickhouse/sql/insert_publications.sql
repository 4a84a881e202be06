INSERT INTO {{name .Control "publications"}}
    (dataset, day, batch, step, policy_version, policy_hash, query, rows, subjects, published, generalised, suppressed, loss, k, classes, smallest, verified_at, dropped_at, early)
