INSERT INTO {{name .Control .DecisionTable}} {{template "expired_consents.sql" .}}
