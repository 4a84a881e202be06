DROP VIEW IF EXISTS {{name .Database .Name}}
