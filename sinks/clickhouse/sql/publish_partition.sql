ALTER TABLE {{name .G.Published.Database .G.Published.Name}} REPLACE PARTITION ID {{literal .Partition}} FROM {{name .Control .StageTable}}
