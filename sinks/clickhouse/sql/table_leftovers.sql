{{- /* What a mutation has left behind: parts that are no longer read, and unfinished mutations. */ -}}
SELECT
    (SELECT count() FROM system.parts WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT active),
    (SELECT count() FROM system.mutations WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done)
