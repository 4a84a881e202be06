SELECT DISTINCT name FROM {{name .Control "migrations"}}
