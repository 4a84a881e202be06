{{- /* A note for each person, under an id that follows from the request and the person, so
       that it is there once; and one for each organisation. */ -}}
INSERT INTO {{name .Control "training"}} (at, kind, subject, organisation, decision, lapse_record)
SELECT {at:DateTime64(3, 'UTC')}, 'training_consent', person_subject, person_organisation, 'erased', reinterpretAsUUID(sipHash128(toString(person), person_subject, person_organisation))
FROM (
    SELECT person, if({{template "is_organisation.sql" .}}, '', subject) AS person_subject, if({{template "is_organisation.sql" .}}, subject, '') AS person_organisation
    FROM {{name .Control .PeopleTable}}
) AS people
WHERE (
    person_subject IN (SELECT arrayJoin(JSONExtract(subjects, 'Array(String)')) FROM {{name .Control "training"}} WHERE kind = 'training_item')
    OR person_organisation != '' AND person_organisation IN (SELECT organisation FROM {{name .Control "training"}} WHERE kind = 'training_item')
) AND reinterpretAsUUID(sipHash128(toString(person), person_subject, person_organisation)) NOT IN (SELECT lapse_record FROM {{name .Control "training"}})
