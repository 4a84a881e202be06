ALTER TABLE {{name .Database .Name}} ADD COLUMN IF NOT EXISTS {{name .Column.Name}} {{.Column.Type}} COMMENT {{literal .Column.Comment}}
