{{- /* Whether a row meets all that one of the holds asks for. */ -}}
arrayExists(
    lapse_hold -> (lapse_hold.1 = toFixedString('', 16){{range .Subjects}} OR lapse_hold.1 = sipHash128Keyed({{template "hold_key.sql" $}}, {{.}}){{end}})
        AND (lapse_hold.2 = toFixedString('', 16){{with .Organisation}} OR lapse_hold.2 = sipHash128Keyed({{template "hold_key.sql" $}}, toString({{.}})){{end}})
        AND {{name .Time}} >= lapse_hold.3 AND {{name .Time}} < lapse_hold.4,
    (SELECT groupArray((subject, organisation, starts_at, ends_at)) FROM ({{template "holds_in_force.sql" .}}))
)
