SELECT sum(bytes_on_disk)
FROM system.parts
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND active AND partition_id IN {partitions:Array(String)}
