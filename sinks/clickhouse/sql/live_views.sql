SELECT name, comment FROM system.tables WHERE database = {{literal .Analytics}} AND engine = 'View'
