{{- /* What is left of the parts that people were erased from: parts of before the mutation
       that are no longer read, mutations that are not done, and parts that somebody has
       put aside, of which nobody knows whom they hold. */ -}}
SELECT
    (SELECT count() FROM system.parts WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT active AND data_version < {version:UInt64}),
    (SELECT count() FROM system.mutations WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND NOT is_done),
    (SELECT count() FROM system.detached_parts WHERE database = {{literal .Database}} AND table = {{literal .Name}})
