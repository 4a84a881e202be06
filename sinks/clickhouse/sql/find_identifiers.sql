{{- /* The direct identifiers of the partitions, as they stand and as words. Beside the writing of
       the rows it has one core, so that they have the other. */ -}}
INSERT INTO {{name .Control .IdentifierTable}}
SELECT lapse_identifier, arrayStringConcat(tokens(lowerUTF8(lapse_identifier)), ' ')
FROM (
    {{- range $i, $identifier := .G.Identifiers}}{{if $i}}
    UNION ALL{{end}}
    SELECT toString({{.}}) AS lapse_identifier
    FROM {{name $.G.Personal.Database $.G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_identifier
    {{- end}}
)
WHERE lapse_identifier != ''
{{- if .NamesLater}}
SETTINGS max_threads = 1
{{- end}}
