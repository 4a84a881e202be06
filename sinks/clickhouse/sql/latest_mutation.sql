{{- /* The number of the latest mutation; ClickHouse remembers it long after it is done. */ -}}
SELECT toUInt32(max(toUInt64OrZero(extract(mutation_id, '[0-9]+'))))
FROM system.mutations
WHERE database = {{literal .Database}} AND table = {{literal .Name}}
