SELECT installation, shard, replica, shards, nodes FROM {{name .Control "node"}} FINAL
