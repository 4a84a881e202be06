{{- /* Whether a text is, or contains as words, a direct identifier of the partition,
       or looks like an e-mail address or an IPv4 address, escaped as in a URL or not.

       A word is a run of letters and digits (of bytes beyond ASCII too); what stands
       between words does not count, nor does the case: auth0|5f7c8e is found in
       /people/Auth0%7C5f7c8e.html. Words are looked up one by one and up to nine in
       a row. Texts too long for that are taken for holding one. */ -}}
(
    length(lapse_text) > {{longestText}} OR length(tokens(substring(lapse_text, 1, {{longestText}}))) > {{mostWords}}
    OR match(decodeURLComponent(lapse_text), '[^\\s@/]+@[^\\s@/]+\\.[A-Za-z]')
    OR match(decodeURLComponent(lapse_text), '(^|[^0-9.])[0-9]{1,3}([.][0-9]{1,3}){3}([^0-9.]|$)') AND NOT ({{template "is_network.sql"}})
    OR arrayExists(lapse_words -> (lapse_partition, lapse_words) IN (
        SELECT lapse_partition, arrayJoin([lapse_identifier, arrayStringConcat(tokens(lowerUTF8(lapse_identifier)), ' ')]) AS lapse_words
        FROM (
            SELECT DISTINCT _partition_id AS lapse_partition, arrayJoin([{{join .G.Identifiers ", "}}]) AS lapse_identifier
            FROM {{name .G.Personal.Database .G.Personal.Name}}
            WHERE _partition_id IN {partitions:Array(String)} AND lapse_identifier != ''
        )
        WHERE lapse_words != ''
    ), arrayConcat([lapse_text, decodeURLComponent(lapse_text)], arrayFlatten(arrayMap(
        lapse_tokens -> arrayMap(first -> arrayMap(n -> arrayStringConcat(arraySlice(lapse_tokens, first, n), ' '),
            range(1, least(9, length(lapse_tokens) - first + 1) + 1)), arrayEnumerate(lapse_tokens)),
        arrayMap(spelling -> arraySlice(tokens(lowerUTF8(substring(spelling, 1, {{longestText}}))), 1, {{mostWords}}), arrayDistinct([lapse_text, decodeURLComponent(lapse_text)]))))))
)
