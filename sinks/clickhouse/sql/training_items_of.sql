{{- /* The items that show people, or that are of organisations, and that have no tombstone. */ -}}
SELECT person, uniqExact(item)
FROM (
    SELECT item, arrayJoin(arrayPushBack(arrayMap(shown -> (shown, 0), JSONExtract(subjects, 'Array(String)')), (toString(organisation), 1))) AS whose
    FROM {{name .Control "training"}}
    WHERE kind = 'training_item' AND item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
) AS shown
INNER JOIN (
    SELECT person, (subject, {{template "is_organisation.sql" .}}) AS whose
    FROM {{name .Control .PeopleTable}}
) AS people USING (whose)
GROUP BY person
