{{- /* A note for each person, under an id that follows from the request and the person, so
       that it is there once. */ -}}
INSERT INTO {{name .Control "training"}} (at, kind, subject, decision, lapse_record)
SELECT {at:DateTime64(3, 'UTC')}, 'training_consent', subject, 'erased', reinterpretAsUUID(sipHash128(toString(person), subject))
FROM {{name .Control .PeopleTable}}
WHERE subject IN (SELECT arrayJoin(JSONExtract(subjects, 'Array(String)')) FROM {{name .Control "training"}} WHERE kind = 'training_item')
    AND reinterpretAsUUID(sipHash128(toString(person), subject)) NOT IN (SELECT lapse_record FROM {{name .Control "training"}})
