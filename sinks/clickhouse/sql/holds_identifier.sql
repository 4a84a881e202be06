{{- /* Whether a text is, or contains as a word, a direct identifier of the partition,
       or looks like an e-mail address or an IPv4 address. */ -}}
(
    match(lapse_text, '[^\\s@/]+@[^\\s@/]+\\.[A-Za-z]')
    OR match(lapse_text, '(^|[^0-9.])[0-9]{1,3}([.][0-9]{1,3}){3}([^0-9.]|$)')
    OR arrayExists(word -> (lapse_partition, word) IN (
        SELECT _partition_id, arrayJoin([{{join .G.Identifiers ", "}}]) AS lapse_identifier
        FROM {{name .G.Personal.Database .G.Personal.Name}}
        WHERE _partition_id IN {partitions:Array(String)} AND lapse_identifier != ''
    ), arrayConcat([lapse_text], {{range $i, $separators := wordSeparators}}{{if $i}}, {{end}}splitByRegexp('[{{$separators}}]+', lapse_text){{end}}))
)
