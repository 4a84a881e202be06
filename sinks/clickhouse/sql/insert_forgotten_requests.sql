INSERT INTO {{name .Control .RequestTable}} (request)
