SELECT database, name, engine, partition_key, sorting_key, comment
FROM system.tables
WHERE database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}}, {{literal .Readable}})
ORDER BY database, name
