{{- /* Dropping a partition that does not exist drops nothing, but it removes the parts
       that are no longer read, which otherwise waits for a background thread. */ -}}
ALTER TABLE {{name .Database .Name}} DROP PARTITION ID 'none'
