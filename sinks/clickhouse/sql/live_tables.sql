SELECT database, name, engine, partition_key, sorting_key
FROM system.tables
WHERE database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}}, {{literal .Readable}})
ORDER BY database, name
