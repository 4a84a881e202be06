{{- /* The texts that name somebody, or may, by the partition in which they do. */ -}}
SELECT lapse_partition, lapse_text
FROM (
    SELECT text AS lapse_text, identifier AS lapse_identifier FROM {{name .Control .MatchTable}} WHERE identifier != ''
) AS lapse_matches
INNER JOIN (
    {{- range $i, $identifier := .G.Identifiers}}{{if $i}}
    UNION ALL{{end}}
    SELECT DISTINCT toString(_partition_id) AS lapse_partition, toString({{.}}) AS lapse_identifier
    FROM {{name $.G.Personal.Database $.G.Personal.Name}}
    WHERE _partition_id IN {partitions:Array(String)} AND toString({{.}}) IN (SELECT identifier FROM {{name $.Control $.MatchTable}} WHERE identifier != '')
    {{- else}}
    SELECT '' AS lapse_partition, '' AS lapse_identifier WHERE 0
    {{- end}}
) AS lapse_there USING (lapse_identifier)
UNION ALL
SELECT arrayJoin({partitions:Array(String)}), text
FROM {{name .Control .MatchTable}}
WHERE identifier = ''
