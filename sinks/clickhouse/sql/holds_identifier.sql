{{- /* Whether a text is, or contains as a word, a direct identifier of the partition,
       or looks like an e-mail address or an IPv4 address. */ -}}
(
    match(text, '[^\\s@/]+@[^\\s@/]+\\.[A-Za-z]')
    OR match(text, '(^|[^0-9.])[0-9]{1,3}([.][0-9]{1,3}){3}([^0-9.]|$)')
    OR arrayExists(word -> (partition, word) IN (
        SELECT _partition_id, arrayJoin([{{join .G.Identifiers ", "}}]) AS identifier
        FROM {{name .G.Personal.Database .G.Personal.Name}}
        WHERE _partition_id IN {partitions:Array(String)} AND identifier != ''
    ), arrayConcat([text], {{range $i, $separators := wordSeparators}}{{if $i}}, {{end}}splitByRegexp('[{{$separators}}]+', text){{end}}))
)
