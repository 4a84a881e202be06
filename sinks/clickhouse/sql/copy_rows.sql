{{- /* The rows of the personal partitions with every value that could be published of
       them, at any level; the sum of their class at each vector, and that of the cell they
       fall into: of all of these; and whom they are about, in hashes. Tainted are the rows
       that cannot be published at any level. What is done with a column's different values
       is done once for each in a block: large blocks have few of them, for their rows. */ -}}
INSERT INTO {{name .Control .CopyTable}}
SELECT
    toDate({{.G.Time}}, 'UTC'), lapse_batch, toLowCardinality(_partition_id) AS lapse_partition,
    {{range .SensitiveTexts}}{{textHash "lapse_partition" (print "toString(" . ")")}} IN (SELECT hash FROM {{name $.Control $.TaintTable}}) OR {{end}}false
    {{- range .G.Copy.Columns}},
    CAST({{.Expression}}, {{literal .Type}}) AS {{.Name}}
    {{- end}}
    {{- range $i, $class := .G.Copy.Classes}},
    {{$class}} AS lapse_class_{{$i}}
    {{- end}},
    {{.G.Copy.Cell}}
    {{- range .G.Copy.Whos}},
    {{.}}
    {{- end}}
FROM {{name .G.Personal.Database .G.Personal.Name}} AS lapse_rows
WHERE _partition_id IN {partitions:Array(String)}
SETTINGS max_insert_threads = 2, max_block_size = 262144, preferred_block_size_bytes = 67108864{{if .InMemory}}, min_insert_block_size_rows = 65536{{end}}
