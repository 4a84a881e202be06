SELECT name FROM system.tables WHERE database = {{literal .Control}} AND startsWith(name, {{literal .Prefix}}) AND metadata_modification_time < now() - INTERVAL 1 HOUR
