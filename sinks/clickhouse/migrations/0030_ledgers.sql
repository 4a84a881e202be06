CREATE TABLE IF NOT EXISTS {{name .Control "consents"}} (
    subject FixedString(16) COMMENT 'keyed hash of an identifier; the key is not in the database',
    category LowCardinality(String) COMMENT 'of purposes',
    decided_at DateTime64(3, 'UTC'),
    granted Bool,
    origin LowCardinality(String) COMMENT 'record, if a record carried the decision, or operator',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (subject, category, decided_at, granted)
COMMENT 'decisions about consent, all of them';

CREATE TABLE IF NOT EXISTS {{name .Control "erasures"}} (
    subject FixedString(16) COMMENT 'keyed hash of an identifier; the key is not in the database',
    until DateTime64(3, 'UTC') COMMENT 'records of events up to then are refused',
    request UUID,
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (subject, until)
COMMENT 'who was erased';
