INSERT INTO {{name .Control .HeldTable}}
SELECT lapse_record
FROM {{name .Database .Name}}
WHERE _partition_id IN {partitions:Array(String)} AND {{template "held_row.sql" .Held}}
