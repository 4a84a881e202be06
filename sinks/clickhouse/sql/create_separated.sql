CREATE TABLE {{name .Control .StageTable}} AS {{name .Database .Name}}
