SELECT count() FROM {{name .Control .MatchTable}}
