{{- /* Small partitions are worked on in memory, large ones on disk. */ -}}
CREATE TABLE {{name .Control .HashTable}} (
    partition LowCardinality(String),
    subject FixedString(16)
    {{- range $level, $class := .G.Classes}},
    class_{{$level}} FixedString(16)
    {{- end}}
)
{{if .InMemory}}ENGINE = Memory{{else}}ENGINE = MergeTree ORDER BY tuple(){{end}}
