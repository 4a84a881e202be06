{{- /* What an earlier search has found of the same people, in parts that are still there, up to
       the last event that counts now. */ -}}
INSERT INTO {{name .Control .RowTable}} (partition, record, person, held, at, part)
SELECT partition, record, person, held, at, part
FROM {{name .Control .Earlier}} AS earlier
INNER JOIN (SELECT DISTINCT person AS lapse_person, until_at FROM {{.People}}) AS people ON earlier.person = people.lapse_person
WHERE at <= until_at AND part IN {seen:Array(String)}
{{- if .Partitioned}}
    AND partition IN {partitions:Array(String)}
{{- end}}
