{{- /* The parts of a table, each with a hash of what it holds: a name alone can come again, for a
       table that was made anew or after a start of the server. */ -}}
SELECT name, hash_of_all_files
FROM system.parts
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND active
