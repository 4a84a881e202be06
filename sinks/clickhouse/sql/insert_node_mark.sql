INSERT INTO {{name .Control "node"}} (installation, shard, replica, shards, nodes)
