CREATE TABLE {{name .Control .SubjectTable}} (subject String) ENGINE = Memory
