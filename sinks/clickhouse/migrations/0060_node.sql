CREATE TABLE IF NOT EXISTS {{name .Control "node"}} (
    installation UUID COMMENT 'the same on all nodes',
    shard UInt32,
    replica UInt32,
    shards UInt32 COMMENT 'of the cluster: rows are spread by their number',
    nodes UInt32 COMMENT 'of the cluster: all shards with all their replicas',
    marked_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(marked_at)
ORDER BY tuple()
COMMENT 'which node of a cluster this server is; empty where it stands alone'
