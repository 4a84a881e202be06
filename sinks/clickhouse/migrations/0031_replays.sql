CREATE TABLE IF NOT EXISTS {{name .Control "replays"}} (
    source UUID COMMENT 'content digest of the input file',
    lapse_source UInt64 COMMENT 'the first 64 bits of it, as the rows carry them',
    position UInt64 COMMENT 'byte offset of the record in the decompressed file',
    fate LowCardinality(String) COMMENT 'stored, refused or duplicate',
    from_dated Bool COMMENT 'whether it was counted under a day when it was set aside',
    from_day Date,
    dated Bool COMMENT 'whether it is now',
    day Date COMMENT 'day of the event (UTC)',
    run UUID,
    replayed_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(replayed_at)
ORDER BY (source, position)
COMMENT 'records that were set aside and then read: what the accounts of their input files are changed by';

CREATE TABLE IF NOT EXISTS {{name .Control "replaying"}} (
    source UUID COMMENT 'content digest of the input file',
    lapse_source UInt64 COMMENT 'the first 64 bits of it, as the rows carry them',
    open Bool COMMENT 'whether rows of it may be stored that are not accounted for',
    changed_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(changed_at)
ORDER BY source
COMMENT 'input files whose quarantined records are being read again';
