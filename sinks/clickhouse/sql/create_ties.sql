CREATE TABLE {{name .Control .TieTable}} (lapse_weaker UInt64, lapse_stronger UInt64) ENGINE = Memory
