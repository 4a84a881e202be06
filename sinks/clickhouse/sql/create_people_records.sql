{{- /* The records that a mutation takes, ready to be looked up: from a subquery they would be
       gathered anew for each part. */ -}}
CREATE TABLE {{name .Control .RecordTable}} (record UUID) ENGINE = Set
