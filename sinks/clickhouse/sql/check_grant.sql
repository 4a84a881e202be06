CHECK GRANT {{.Privilege}} ON {{if .Database}}{{name .Database}}{{else}}*{{end}}.*
