CREATE TABLE IF NOT EXISTS {{name .Control "sources"}} (
    source UUID COMMENT 'content digest of the input file',
    lapse_source UInt64 COMMENT 'the first 64 bits of it, as the rows carry them',
    dated Bool COMMENT 'false for the account of the records without a readable time',
    day Date COMMENT 'day of the event (UTC)',
    state LowCardinality(String) COMMENT 'pending, complete or abandoned; of the undated row',
    path String COMMENT 'where it lay when it was read',
    format LowCardinality(String),
    bytes UInt64,
    read UInt64,
    stored UInt64,
    quarantined UInt64,
    refused UInt64,
    duplicate UInt64,
    run UUID,
    as_of DateTime64(3, 'UTC'),
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (source, dated, day)
COMMENT 'the account of each input file, by day: read = stored + quarantined + refused + duplicate';

CREATE TABLE IF NOT EXISTS {{name .Control "seals"}} (
    dataset LowCardinality(String),
    day Date,
    batch UInt32,
    sealed_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(sealed_at)
ORDER BY (dataset, day, batch)
COMMENT 'personal partitions that take no more rows';

CREATE TABLE IF NOT EXISTS {{name .Control "publications"}} (
    dataset LowCardinality(String),
    day Date,
    batch UInt32,
    step UUID,
    policy_version LowCardinality(String),
    policy_hash FixedString(64),
    query FixedString(64) COMMENT 'SHA-256 of the SQL that made it',
    rows UInt64 COMMENT 'personal rows it was made of',
    subjects UInt64 COMMENT 'distinct people in them',
    published UInt64,
    generalised UInt64 COMMENT 'published at a coarser level than the first',
    suppressed UInt64,
    k UInt64,
    classes UInt64,
    smallest UInt64 COMMENT 'distinct people in the smallest class',
    verified_at DateTime64(3, 'UTC'),
    dropped_at DateTime64(3, 'UTC') COMMENT '1970 while the personal rows may still be there',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (dataset, day, batch)
COMMENT 'anonymised partitions, as verified';

CREATE TABLE IF NOT EXISTS {{name .Control "runs"}} (
    run UUID,
    job LowCardinality(String),
    actor LowCardinality(String),
    as_of DateTime64(3, 'UTC'),
    started_at DateTime64(3, 'UTC'),
    ended_at DateTime64(3, 'UTC'),
    result LowCardinality(String),
    error LowCardinality(String),
    steps UInt64,
    failed UInt64,
    policy_version LowCardinality(String),
    policy_hash FixedString(64),
    program LowCardinality(String) COMMENT 'version of the program'
)
ENGINE = ReplacingMergeTree(ended_at)
ORDER BY (started_at, run)
COMMENT 'runs of the jobs';

CREATE TABLE IF NOT EXISTS {{name .Control "tombstones"}} (
    item String COMMENT 'random id that the item had in the register',
    rule LowCardinality(String) COMMENT 'why it was purged',
    bytes UInt64,
    objects UInt64 COMMENT 'the item and its derivatives',
    uploaded_at DateTime64(3, 'UTC'),
    purged_at DateTime64(3, 'UTC'),
    policy_version LowCardinality(String),
    policy_hash FixedString(64)
)
ENGINE = ReplacingMergeTree(purged_at)
ORDER BY item
COMMENT 'what is left of purged training items: nothing by which they could be known';
