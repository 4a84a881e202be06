{{- /* The classes of one level that hold at least k people, counted afresh over the
       rows that fit no finer level: distinct counts do not add up across classes. */ -}}
INSERT INTO {{name .Control .ClassTable}}
SELECT {{.Level}}, class_{{.Level}} AS class
FROM {{name .Control .HashTable}}
WHERE class != toFixedString('', 16)
{{- range $finer := .Finer}}
    AND class_{{$finer}} NOT IN (SELECT class FROM {{name $.Control $.ClassTable}} WHERE level = {{$finer}})
{{- end}}
GROUP BY class
HAVING uniqExact(subject) >= {{.G.K}}
