CREATE TABLE IF NOT EXISTS {{name .Control "migrations"}} (
    name String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
COMMENT 'changes of the control tables that have been made'
