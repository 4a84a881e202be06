SELECT database, table, name, type
FROM system.columns
WHERE database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}}, {{literal .Readable}})
ORDER BY database, table, position
