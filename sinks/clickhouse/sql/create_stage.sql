CREATE TABLE {{name .Control .StageTable}} AS {{name .G.Published.Database .G.Published.Name}}
