CREATE TABLE {{name .Control .IdentifierTable}} (identifier String, words String) ENGINE = Memory
