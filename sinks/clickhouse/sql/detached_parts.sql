SELECT count() FROM system.detached_parts WHERE database = {{literal .Telemetry}}
