INSERT INTO {{name .Control "seals"}} (dataset, day, batch)
