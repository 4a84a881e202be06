SELECT DISTINCT lapse_level FROM {{name .Control .LevelTable}} ORDER BY lapse_level
