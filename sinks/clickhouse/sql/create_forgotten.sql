CREATE TABLE {{name .Control .RecordTable}} (record UUID) ENGINE = Memory
