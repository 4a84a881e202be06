{{- /* How many rows the parts have that hold none that are to be erased, and all parts. */ -}}
SELECT sumIf(rows, name NOT IN (
    SELECT part
    FROM {{name .Control .RowTable}}
    WHERE NOT held
    {{- if .Partitioned}}
        AND partition IN {partitions:Array(String)}
    {{- end}}
)), sum(rows)
FROM system.parts
WHERE database = {{literal .Database}} AND table = {{literal .Name}} AND active
