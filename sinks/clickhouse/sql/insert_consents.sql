INSERT INTO {{name .Control "consents"}} (subject, category, decided_at, granted, origin)
