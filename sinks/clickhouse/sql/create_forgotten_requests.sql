CREATE TABLE {{name .Control .RequestTable}} (request UUID) ENGINE = Memory
