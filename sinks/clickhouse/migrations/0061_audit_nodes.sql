ALTER TABLE {{name .Control "audit"}}
    ADD COLUMN IF NOT EXISTS shard UInt32 DEFAULT JSONExtractUInt(entry, 'partition', 'shard') COMMENT 'of a cluster that the partition is on; 0 where there is one server' AFTER batch,
    ADD COLUMN IF NOT EXISTS replica UInt32 DEFAULT JSONExtractUInt(entry, 'partition', 'replica') COMMENT 'of the shard' AFTER shard;
