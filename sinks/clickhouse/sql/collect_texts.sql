{{- /* The different texts that could be published, or are. In a table of their own, or what
       is asked of each text would be asked of each row that has it. */ -}}
INSERT INTO {{name .Control .TextTable}}
SELECT DISTINCT lapse_text
FROM (
    {{- range $i, $text := .Texts}}{{if $i}}
    UNION ALL{{end}}
    SELECT CAST(lapse_value, 'String') AS lapse_text
    FROM (SELECT DISTINCT {{$text}} AS lapse_value FROM {{$.From}}{{if $.FromPartitions}} WHERE _partition_id IN {partitions:Array(String)}{{end}})
    {{- else}}
    SELECT '' AS lapse_text WHERE 0
    {{- end}}
)
