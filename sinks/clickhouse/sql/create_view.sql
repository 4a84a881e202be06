CREATE OR REPLACE VIEW {{name .Database .Name}} AS
{{.Select}}
COMMENT {{literal .Comment}}
