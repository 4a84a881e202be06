{{- /* A note for each person, under an id that follows from the request and the person, so
       that it is there once; one for each organisation; and one for each object that shows
       a person by an earlier registration: its latest need not name her, and the bucket may
       keep what was there before. */ -}}
INSERT INTO {{name .Control "training"}} (at, kind, bucket, object_key, subject, organisation, decision, lapse_record)
SELECT {at:DateTime64(3, 'UTC')}, 'training_consent', erased_in, erased_key, person_subject, person_organisation, 'erased', note
FROM (
    SELECT '' AS erased_in, '' AS erased_key, person_subject, person_organisation,
        reinterpretAsUUID(sipHash128(toString(person), person_subject, person_organisation)) AS note
    FROM (
        SELECT person, if({{template "is_organisation.sql" .}}, '', subject) AS person_subject, if({{template "is_organisation.sql" .}}, subject, '') AS person_organisation
        FROM {{name .Control .PeopleTable}}
    ) AS people
    WHERE (
        person_subject IN (SELECT arrayJoin(JSONExtract(subjects, 'Array(String)')) FROM {{name .Control "training"}} WHERE kind = 'training_item')
        OR person_organisation != '' AND person_organisation IN (SELECT organisation FROM {{name .Control "training"}} WHERE kind = 'training_item')
    )
    UNION ALL
    SELECT DISTINCT bucket, object_key, '', '', reinterpretAsUUID(sipHash128(toString(person), bucket, object_key, 'earlier'))
    FROM (
        SELECT toString(bucket) AS bucket, toString(object_key) AS object_key, arrayJoin(arrayFlatten(groupArray(JSONExtract(subjects, 'Array(String)')))) AS subject
        FROM {{name .Control "training"}} AS training
        WHERE kind = 'training_item' AND training.item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
        GROUP BY bucket, object_key
        HAVING count() > 1
    ) AS shown
    INNER JOIN {{name .Control .PeopleTable}} AS people USING (subject)
    WHERE NOT {{template "is_organisation.sql" .}}
)
WHERE note NOT IN (SELECT lapse_record FROM {{name .Control "training"}})
