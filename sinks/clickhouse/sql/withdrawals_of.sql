{{- /* When the consent to each of some training items was withdrawn first. */ -}}
SELECT id, min(at)
FROM (
{{template "training_decisions.sql" .}}
)
WHERE id IN (SELECT item FROM wanted) AND decision IN ('withdrawn', 'erased')
GROUP BY id
