{{- /* The cells that fit no finer level, and none of whose texts at this level holds a
       direct identifier. */ -}}
lapse_cell NOT IN (SELECT lapse_cell FROM {{name .Control .LevelTable}})
    {{- range index .G.Copy.Texts .Level}} AND NOT lapse_tainted_{{.}}{{end}}
