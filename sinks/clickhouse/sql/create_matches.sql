CREATE TABLE {{name .Control .MatchTable}} (text String, identifier String) ENGINE = Memory
