CREATE TABLE IF NOT EXISTS {{name .Control "hold_key"}} (
    first UInt64,
    second UInt64,
    made_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (made_at, first)
COMMENT 'the key of the hashes in holds; the oldest row counts';

CREATE TABLE IF NOT EXISTS {{name .Control "holds"}} (
    hold UUID,
    dataset LowCardinality(String) COMMENT 'empty: all',
    subject FixedString(16) COMMENT 'keyed hash of whom it names; zero: nobody in particular',
    organisation FixedString(16) COMMENT 'keyed hash of which one it names; zero: none in particular',
    starts_at DateTime64(3, 'UTC') COMMENT 'of event time',
    ends_at DateTime64(3, 'UTC') COMMENT 'of event time; not included',
    reason String,
    placed_by String,
    placed_at DateTime64(3, 'UTC'),
    until_at DateTime64(3, 'UTC') COMMENT '1970: until it is released',
    released_by String,
    released_at DateTime64(3, 'UTC') COMMENT '1970: it has not been'
)
ENGINE = ReplacingMergeTree(released_at)
ORDER BY hold
COMMENT 'legal holds';
