CREATE TABLE {{name .Control .Stage}} (source UInt64, position UInt64, record UUID) ENGINE = Memory
