SELECT count() FROM {{name .Database .Name}} WHERE _partition_id IN {partitions:Array(String)}
