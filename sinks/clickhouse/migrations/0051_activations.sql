CREATE TABLE IF NOT EXISTS {{name .Control "activations"}} (
    policy_hash FixedString(64),
    policy_version LowCardinality(String),
    activated_at DateTime64(3, 'UTC') COMMENT 'when it was first carried out'
)
ENGINE = ReplacingMergeTree
ORDER BY policy_hash
COMMENT 'versions of the policy that were carried out';
