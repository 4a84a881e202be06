ALTER TABLE {{name .Database .Name}} REPLACE PARTITION ID {{literal .Partition}} FROM {{name .Control .StageTable}}
