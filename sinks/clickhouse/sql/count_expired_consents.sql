SELECT count(), groupBitXor(sipHash64(subject, category, decided_at, granted))
FROM (
{{template "expired_consents.sql" .}}
)
