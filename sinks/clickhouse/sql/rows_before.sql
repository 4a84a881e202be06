{{- /* Rows that were there before the server became a node. */ -}}
SELECT sum(ifNull(total_rows, 0)) FROM system.tables WHERE database IN ({{literal .Telemetry}}, {{literal .Analytics}})
