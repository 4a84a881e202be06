INSERT INTO {{name .Control "training_strays"}} (bucket, stray, first_seen)
