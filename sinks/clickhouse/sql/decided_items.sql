{{- /* What has been decided about the consent that registrations rest on: when it was
       withdrawn (and whether), since it was last granted. */ -}}
SELECT
    id,
    maxIf(at, decision = 'granted') AS granted_at,
    arrayFilter(t -> t >= granted_at, groupArrayIf(at, decision IN ('withdrawn', 'erased'))) AS withdrawals,
    (arrayMin(withdrawals), notEmpty(withdrawals)) AS last,
    minIf(at, decision = 'erased') AS erased_at,
    max(decision = 'granted') AS granted,
    max(decision = 'granted' AND consent_by = 'guardian') AS by_guardian,
    max(decision = 'granted' AND consent_by = 'self') AS by_self
FROM (
{{template "training_decisions.sql" .}}
)
GROUP BY id
