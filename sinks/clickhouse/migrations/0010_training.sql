CREATE TABLE IF NOT EXISTS {{name .Control "training_marks"}} (
    item String COMMENT 'random id that the item has in the register',
    event LowCardinality(String) COMMENT 'marked: hidden, to be deleted when the grace has passed; restored: by a person',
    at DateTime64(3, 'UTC') COMMENT 'as of when',
    rule LowCardinality(String) COMMENT 'why it was marked',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(recorded_at)
ORDER BY (item, at, event)
COMMENT 'training items that were hidden before they are deleted, and those that were restored';

ALTER TABLE {{name .Control "tombstones"}} ADD COLUMN IF NOT EXISTS models Array(LowCardinality(String)) COMMENT 'models that were trained on it'
