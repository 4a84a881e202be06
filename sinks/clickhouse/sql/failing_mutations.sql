SELECT DISTINCT database || '.' || table FROM system.mutations
WHERE NOT is_done AND notEmpty(latest_fail_reason) AND database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}})
ORDER BY 1
