CREATE TABLE IF NOT EXISTS {{name .Control "training_strays"}} (
    bucket LowCardinality(String),
    stray UUID COMMENT 'digest of the key, the size and the time of the object',
    first_seen DateTime64(3, 'UTC') COMMENT 'as of when it was first noticed: the earliest counts',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (bucket, stray, first_seen)
TTL toDateTime(recorded_at) + INTERVAL 1 YEAR
COMMENT 'objects in buckets that the training register does not know'
