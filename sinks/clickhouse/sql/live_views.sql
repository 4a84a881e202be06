SELECT database, name, comment FROM system.tables WHERE database IN ({{literal .Analytics}}, {{literal .Readable}}) AND engine = 'View'
