INSERT INTO {{name .Control "audit"}} (year, position, entry)
