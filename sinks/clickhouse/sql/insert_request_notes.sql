INSERT INTO {{name .Control "request_notes"}} (request, event, noted_at, reason, clause, noted_by, until_at)
