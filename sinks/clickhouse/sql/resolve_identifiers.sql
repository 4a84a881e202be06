{{- /* The strongest identifiers of the people whose rows hold other texts that were asked for. */ -}}
SELECT DISTINCT other, other_text, identifier, subject
FROM (
    {{- range $i, $p := .Pairs}}{{if $i}} UNION ALL{{end}}
    SELECT {{literal $p.Weaker}} AS other, toString({{name $p.Weaker}}) AS other_text, {{literal $p.Stronger}} AS identifier, toString({{name $p.Stronger}}) AS subject
    FROM {{name $p.Database $p.Name}}
    WHERE {{name $p.Weaker}} IN (SELECT subject FROM wanted WHERE identifier = {{literal $p.Weaker}}) AND {{name $p.Stronger}} != ''
    {{- end}}
)
ORDER BY other, other_text, identifier, subject
LIMIT {limit:UInt64}
