CREATE TABLE {{name .Control .CopyTable}} (
    lapse_day Date, lapse_batch UInt32, lapse_partition LowCardinality(String), lapse_tainted Bool
    {{- range .G.Copy.Columns}}, {{.Name}} {{.Type}}{{end}}
    {{- range $i, $_ := .G.Copy.Classes}}, lapse_class_{{$i}} UInt64{{end}}, lapse_cell UInt64
    {{- range $i, $_ := .G.Copy.Whos}}, lapse_who_{{$i}} UInt64{{end}}
)
ENGINE = {{if .InMemory}}Memory{{else}}MergeTree ORDER BY tuple(){{end}}
