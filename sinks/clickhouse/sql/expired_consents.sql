{{- /* The decisions about consent that hold no more since a time. Who is held is told by
       the ledger's keyed hash of every identifier in the personal tables; see
       fill_erased_people.sql. Where identifiers are kept as pseudonyms only, that tells
       nothing, and no consent is taken for unused. */ -}}
SELECT subject, category, decided_at, granted
FROM (
    SELECT
        subject, category, decided_at, granted, recorded_at,
        leadInFrame(decided_at, 1, toDateTime64(0, 3, 'UTC')) OVER (
            PARTITION BY subject, category ORDER BY decided_at, NOT granted ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS replaced_at
    FROM (
        SELECT subject, category, decided_at, granted, max(recorded_at) AS recorded_at
        FROM {{name .Control "consents"}}
        GROUP BY subject, category, decided_at, granted
    )
)
WHERE (
        replaced_at > toDateTime64(0, 3, 'UTC') AND replaced_at <= {before:DateTime64(3, 'UTC')}
        {{- if .Columns}}
        OR replaced_at = toDateTime64(0, 3, 'UTC') AND granted AND greatest(decided_at, recorded_at) <= {before:DateTime64(3, 'UTC')}
            AND subject NOT IN (
                SELECT {{template "subject_hash.sql"}}
                FROM (
                    {{- range $i, $c := .Columns}}{{if $i}} UNION ALL{{end}}
                    SELECT DISTINCT {{literal $c.Name}} AS lapse_column, toString({{name $c.Name}}) AS lapse_text FROM {{name $c.Database $c.Table}}
                    {{- end}}
                ) AS texts
                CROSS JOIN pads
                WHERE lapse_text != ''
            )
        {{- end}}
    )
    AND (SELECT count() FROM ({{template "holds_in_force.sql" .}}) WHERE subject = toFixedString('', 16) AND organisation = toFixedString('', 16)) = 0
