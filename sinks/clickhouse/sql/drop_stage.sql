DROP TABLE IF EXISTS {{name .Control .Table}} SYNC
