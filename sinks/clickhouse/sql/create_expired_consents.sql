CREATE TABLE {{name .Control .DecisionTable}} (subject FixedString(16), category String, decided_at DateTime64(3, 'UTC'), granted Bool) ENGINE = Memory
