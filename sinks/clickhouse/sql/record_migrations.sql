INSERT INTO {{name .Control "migrations"}} (name)
