{{- /* The items that show people and that have no tombstone. */ -}}
SELECT person, uniqExact(item)
FROM (
    SELECT item, arrayJoin(JSONExtract(subjects, 'Array(String)')) AS subject
    FROM {{name .Control "training"}}
    WHERE kind = 'training_item' AND item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
) AS shown
INNER JOIN {{name .Control .PeopleTable}} AS people USING (subject)
GROUP BY person
