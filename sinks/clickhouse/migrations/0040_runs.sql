ALTER TABLE {{name .Control "runs"}}
    ADD COLUMN IF NOT EXISTS scheduled_for DateTime64(3, 'UTC') COMMENT '1970 for a run by hand' AFTER actor,
    ADD COLUMN IF NOT EXISTS counts Map(LowCardinality(String), UInt64) COMMENT 'of all its steps' AFTER failed
