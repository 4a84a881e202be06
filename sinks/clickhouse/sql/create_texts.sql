CREATE TABLE {{name .Control .TextTable}} (text String) ENGINE = Memory
