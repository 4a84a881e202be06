INSERT INTO {{name .Control "erasures"}} (subject, until, request)
