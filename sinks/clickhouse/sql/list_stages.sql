SELECT name FROM system.tables WHERE database = {{literal .Control}} AND startsWith(name, {{literal .Prefix}})
