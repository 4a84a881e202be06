{{- /* Parts that are there already get it when they are merged. */ -}}
ALTER TABLE {{name .Database .Name}} ADD INDEX IF NOT EXISTS {{template "skip_index.sql" .Index}}
