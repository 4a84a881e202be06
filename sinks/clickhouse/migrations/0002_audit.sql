CREATE TABLE IF NOT EXISTS {{name .Control "audit"}} (
    year UInt16 COMMENT 'whose log the entry is in (UTC)',
    position UInt64 COMMENT 'place in that log, from 0',
    entry String COMMENT 'canonical JSON, byte for byte as in the log' CODEC(ZSTD),
    time DateTime64(3, 'UTC') DEFAULT parseDateTime64BestEffortOrZero(JSONExtractString(entry, 'time'), 3, 'UTC') COMMENT 'when it was written',
    run String DEFAULT JSONExtractString(entry, 'run') COMMENT 'the same for all entries of one run',
    step String DEFAULT JSONExtractString(entry, 'step') COMMENT 'the same work has the same step',
    job LowCardinality(String) DEFAULT JSONExtractString(entry, 'job'),
    actor LowCardinality(String) DEFAULT JSONExtractString(entry, 'actor'),
    action LowCardinality(String) DEFAULT JSONExtractString(entry, 'action'),
    phase LowCardinality(String) DEFAULT JSONExtractString(entry, 'phase') COMMENT 'intent or outcome',
    result LowCardinality(String) DEFAULT JSONExtractString(entry, 'result') COMMENT 'of an outcome',
    error LowCardinality(String) DEFAULT JSONExtractString(entry, 'error') COMMENT 'class of a failure',
    as_of DateTime64(3, 'UTC') DEFAULT parseDateTime64BestEffortOrZero(JSONExtractString(entry, 'as_of'), 3, 'UTC') COMMENT 'the time the policy was evaluated for',
    dataset LowCardinality(String) DEFAULT JSONExtractString(entry, 'dataset'),
    day LowCardinality(String) DEFAULT JSONExtractString(entry, 'partition', 'day') COMMENT 'of the partition, YYYY-MM-DD; empty if it is about none',
    batch UInt32 DEFAULT JSONExtractUInt(entry, 'partition', 'batch'),
    bucket LowCardinality(String) DEFAULT JSONExtractString(entry, 'bucket'),
    item String DEFAULT JSONExtractString(entry, 'item') COMMENT 'training item: random id, not its object key',
    source String DEFAULT JSONExtractString(entry, 'source') COMMENT 'content digest of an input file',
    rule LowCardinality(String) DEFAULT JSONExtractString(entry, 'rule'),
    clause LowCardinality(String) DEFAULT JSONExtractString(entry, 'clause'),
    counts Map(LowCardinality(String), UInt64) DEFAULT JSONExtract(entry, 'counts', 'Map(LowCardinality(String), UInt64)') COMMENT 'what was found and done',
    policy_version LowCardinality(String) DEFAULT JSONExtractString(entry, 'policy', 'version'),
    policy_hash LowCardinality(String) DEFAULT JSONExtractString(entry, 'policy', 'hash'),
    query LowCardinality(String) DEFAULT JSONExtractString(entry, 'query') COMMENT 'SHA-256 of the SQL that was run',
    copied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when the entry was copied from the log'
)
ENGINE = ReplacingMergeTree(copied_at)
ORDER BY (year, position)
COMMENT 'a copy of the audit log to search in; the evidence is the signed log itself, see lapse audit verify --copy'
