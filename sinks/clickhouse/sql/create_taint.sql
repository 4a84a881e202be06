CREATE TABLE {{name .Control .TaintTable}} (partition String, text String) ENGINE = Memory
