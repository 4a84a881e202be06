CREATE TABLE {{name .Control .TaintTable}} (hash UInt64) ENGINE = Memory
