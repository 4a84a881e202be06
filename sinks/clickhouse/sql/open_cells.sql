{{- /* The cells that fit no finer level, and none of whose texts at this level holds a
       direct identifier. */ -}}
lapse_cell NOT IN (SELECT lapse_cell FROM {{name .Control .LevelTable}})
    {{- range index .G.Texts .Level}}
    AND (lapse_partition, toString({{.}})) NOT IN (SELECT partition, text FROM {{name $.Control $.TaintTable}})
    {{- end}}
