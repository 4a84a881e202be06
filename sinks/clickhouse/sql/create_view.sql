CREATE OR REPLACE VIEW {{name .Database .Name}}{{if .Definer}} DEFINER = CURRENT_USER SQL SECURITY DEFINER{{end}} AS
{{.Select}}
COMMENT {{literal .Comment}}
