SELECT count() FROM {{name .Control .DecisionTable}}
