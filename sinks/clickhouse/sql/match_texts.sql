{{- /* The texts that hold a direct identifier of whichever partition, with that; and, with
       none, those that may not be published in any: they look like an e-mail address or an
       IPv4 address, escaped as in a URL or not, or are too long to be looked through.

       A word is a run of letters and digits (of bytes beyond ASCII too); what stands
       between words does not count, nor does the case: auth0|5f7c8e is found in
       /people/Auth0%7C5f7c8e.html. Words are looked up one by one and up to nine in
       a row; those of few texts are held while the identifiers pass, else the other way round. */ -}}
INSERT INTO {{name .Control .MatchTable}}
SELECT DISTINCT lapse_text, lapse_identifier
FROM (
    SELECT text AS lapse_text, arrayJoin(arrayDistinct(arrayConcat([lapse_text, decodeURLComponent(lapse_text)], arrayFlatten(arrayMap(
        lapse_tokens -> arrayMap(first -> arrayMap(n -> arrayStringConcat(arraySlice(lapse_tokens, first, n), ' '),
            range(1, least(9, length(lapse_tokens) - first + 1) + 1)), arrayEnumerate(lapse_tokens)),
        arrayMap(spelling -> arraySlice(tokens(lowerUTF8(substring(spelling, 1, {{longestText}}))), 1, {{mostWords}}), arrayDistinct([lapse_text, decodeURLComponent(lapse_text)]))))))) AS lapse_words
    FROM {{name .Control .TextTable}}
) AS lapse_looked_through
INNER JOIN (
    SELECT identifier AS lapse_identifier, arrayJoin(arrayDistinct([identifier, words])) AS lapse_words
    FROM {{name .Control .IdentifierTable}}
    WHERE lapse_words != ''
) AS lapse_sought USING (lapse_words)
UNION ALL
SELECT text AS lapse_text, ''
FROM {{name .Control .TextTable}}
WHERE length(lapse_text) > {{longestText}} OR length(tokens(substring(lapse_text, 1, {{longestText}}))) > {{mostWords}}
    OR match(decodeURLComponent(lapse_text), '[^\\s@/]+@[^\\s@/]+\\.[A-Za-z]')
    OR match(decodeURLComponent(lapse_text), '(^|[^0-9.])[0-9]{1,3}([.][0-9]{1,3}){3}([^0-9.]|$)') AND NOT ({{template "is_network.sql"}})
SETTINGS max_block_size = 8192{{if .FewTexts}}, query_plan_join_swap_table = 'true'{{end}}
