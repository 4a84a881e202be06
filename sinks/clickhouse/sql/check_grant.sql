CHECK GRANT {{.Privilege}} ON {{name .Database}}.*
