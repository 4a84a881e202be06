SELECT cluster, shard_num, replica_num, host_name, port
FROM system.clusters
WHERE cluster IN ({cluster:String}, {control:String})
ORDER BY cluster, shard_num, replica_num
