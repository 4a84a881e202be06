CREATE TABLE {{name .Control .ClassTable}} (level UInt8, class FixedString(16)) ENGINE = Memory
