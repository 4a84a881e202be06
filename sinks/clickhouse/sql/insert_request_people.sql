INSERT INTO {{name .Control "request_people"}} (request, identifier, subject)
