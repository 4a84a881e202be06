INSERT INTO {{name .Control .RecordTable}} SELECT DISTINCT record FROM {{name .Control .RowTable}} WHERE NOT held
{{- if .Partitioned}}
    AND partition IN {partitions:Array(String)}
{{- end}}
