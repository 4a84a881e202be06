CREATE TABLE {{name .Control .HeldTable}} (record UUID) ENGINE = Memory
