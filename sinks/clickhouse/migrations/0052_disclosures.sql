CREATE TABLE IF NOT EXISTS {{name .Control "disclosures"}} (
    disclosure UUID,
    dataset LowCardinality(String),
    personal Bool,
    recipient LowCardinality(String) COMMENT 'class of recipients, as the policy names it',
    region LowCardinality(String) COMMENT 'where the data went',
    safeguard LowCardinality(String),
    reason String,
    disclosed_by String,
    rows UInt64,
    from_at DateTime64(3, 'UTC') COMMENT 'of event time; 1970: from the first',
    to_at DateTime64(3, 'UTC') COMMENT 'of event time, not included; 1970: to the last',
    disclosed_at DateTime64(3, 'UTC'),
    policy_hash FixedString(64)
)
ENGINE = ReplacingMergeTree
ORDER BY disclosure
COMMENT 'to whom data were given, and where';
