SELECT database, table, name, type
FROM system.columns
WHERE database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}})
ORDER BY database, table, position
