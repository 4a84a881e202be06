{{- /* The pairs of identifiers that stand together, of which one is asked for. */ -}}
SELECT DISTINCT stronger, stronger_text, weaker, weaker_text
FROM (
    {{- range $i, $p := .Pairs}}{{if $i}} UNION ALL{{end}}
    SELECT {{literal $p.Stronger}} AS stronger, toString({{name $p.Stronger}}) AS stronger_text, {{literal $p.As}} AS weaker, toString({{name $p.Weaker}}) AS weaker_text
    FROM {{name $p.Database $p.Name}}
    WHERE {{name $p.Stronger}} != '' AND {{name $p.Weaker}} != '' AND (
        {{name $p.Stronger}} IN (SELECT subject FROM wanted WHERE identifier = {{literal $p.Stronger}})
        OR {{name $p.Weaker}} IN (SELECT subject FROM wanted WHERE identifier = {{literal $p.As}}))
    {{- with $p.Call}}
        AND {{name .}} = 'alias'
    {{- end}}
    {{- end}}
)
ORDER BY stronger, stronger_text, weaker, weaker_text
LIMIT {limit:UInt64}
