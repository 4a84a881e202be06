SELECT database, table, name FROM system.data_skipping_indices WHERE database IN ({{literal .Telemetry}}, {{literal .Control}})
