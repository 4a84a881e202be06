OPTIMIZE TABLE {{name .Control .StageTable}} PARTITION ID {{literal .Partition}} FINAL
