INSERT INTO {{name .Control "migrations"}} (name) SELECT {name:String}
