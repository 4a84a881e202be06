{{- /* The rows of people, by any of their identifiers, up to the last event that counts; with
       the part that each is in, so that another search can go on from here. */ -}}
INSERT INTO {{name .Control .RowTable}} (partition, record, person, held, at, part)
SELECT DISTINCT lapse_partition, lapse_record, lapse_people.person, lapse_held, lapse_at, lapse_part
FROM (
    SELECT _partition_id AS lapse_partition, _part AS lapse_part, lapse_record, toDateTime64({{name .Time}}, 3, 'UTC') AS lapse_at,
        {{if .Held}}{{template "held_row.sql" .Held}}{{else}}false{{end}} AS lapse_held,
        arrayJoin({{if .Words}}arrayMap(lapse_word -> ('', lapse_word), {{template "raw_words.sql" .}}){{else}}[{{range $i, $c := .Columns}}{{if $i}}, {{end}}({{literal $c}}, toString({{name $c}})){{end}}]{{end}}) AS lapse_key
    FROM {{name .Database .Name}}
    WHERE {{template "people_row.sql" .}}
    {{- if .Partitioned}}
        AND _partition_id IN {partitions:Array(String)}
    {{- end}}
    {{- if .Earlier}}
        AND _part NOT IN {seen:Array(String)}
    {{- end}}
) AS lapse_rows
INNER JOIN {{name .Control .PeopleTable}} AS lapse_people ON {{if not .Words}}lapse_rows.lapse_key.1 = lapse_people.identifier AND {{end}}lapse_rows.lapse_key.2 = lapse_people.subject
WHERE lapse_key.2 != '' AND lapse_at <= lapse_people.until_at
{{- if or .Many .Anew}}
SETTINGS use_skip_indexes = 0
{{- end}}
