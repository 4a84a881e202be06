{{- /* The identifiers in a table of those whom the erasure ledger knows: by the first 128
       bits of HMAC-SHA-256 (RFC 2104) over the column's name, a zero byte and the text.
       The keys come as an external table. */ -}}
INSERT INTO {{name .Control .PeopleTable}} (person, identifier, subject, until_at)
SELECT lapse_request, lapse_column, lapse_text, lapse_until
FROM (
    SELECT lapse_column, lapse_text,
        {{template "subject_hash.sql"}} AS lapse_subject
    FROM (
        {{- range $i, $c := .Columns}}{{if $i}} UNION ALL{{end}}
        SELECT DISTINCT {{literal $c}} AS lapse_column, {{if $.Words}}arrayJoin({{template "raw_words.sql" $}}){{else}}toString({{name $c}}){{end}} AS lapse_text
        FROM {{name $.Database $.Name}}
        {{- end}}
    ) AS texts
    CROSS JOIN pads
    WHERE lapse_text != ''
) AS named
INNER JOIN (
    SELECT subject AS lapse_subject, argMax(request, until) AS lapse_request, max(until) AS lapse_until
    FROM {{name .Control "erasures"}}
    GROUP BY subject
) AS erased USING (lapse_subject)
