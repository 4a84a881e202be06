{{- /* What has been decided about the consent that registrations rest on. */ -}}
SELECT
    id,
    max((at, decision IN ('withdrawn', 'erased'))) AS last,
    maxIf(at, decision = 'erased') AS erased_at,
    max(decision = 'granted') AS granted,
    max(decision = 'granted' AND consent_by = 'guardian') AS by_guardian,
    max(decision = 'granted' AND consent_by = 'self') AS by_self
FROM (
{{template "training_decisions.sql" .}}
)
GROUP BY id
