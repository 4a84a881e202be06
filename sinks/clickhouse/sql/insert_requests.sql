INSERT INTO {{name .Control "requests"}} (request, asked_for, received_at)
