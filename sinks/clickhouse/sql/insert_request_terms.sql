INSERT INTO {{name .Control "request_terms"}} (request, term, value)
