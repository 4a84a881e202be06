SELECT count() FROM {{name .Control .TextTable}}
