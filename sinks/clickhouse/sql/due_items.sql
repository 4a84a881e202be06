{{- /* The items that are due, each with the event from which its window runs.

       Consent: of the decisions that apply to an item (its own at the upload, and
       those since for its key, for a person in it, for its organisation) the latest
       counts; of simultaneous ones a withdrawal. Purposes: the item is needed until the last of
       them is complete; one that serves none is not needed from the start. */ -}}
WITH
    items AS (
{{template "training_items.sql" .}}
    ),
    decisions AS (
        SELECT object_key, subject, organisation, at, decision
        FROM {{name .Control "training"}}
        WHERE kind = 'training_consent' AND at <= {now:DateTime64(3, 'UTC')}
    ),
    latest AS (
        SELECT id, max((at, decision = 'withdrawn')) AS last, max(decision = 'granted') AS ever_granted
        FROM (
            SELECT id, uploaded_at AS at, 'granted' AS decision FROM items WHERE consented
            UNION ALL
            SELECT id, at, decision FROM items INNER JOIN decisions USING (object_key) WHERE object_key != '' AND at >= uploaded_at
            UNION ALL
            SELECT id, at, decision FROM (SELECT id, uploaded_at, arrayJoin(people) AS subject FROM items) AS pictured INNER JOIN decisions USING (subject) WHERE subject != '' AND at >= uploaded_at
            UNION ALL
            SELECT id, at, decision FROM items INNER JOIN decisions ON items.uploader = decisions.organisation WHERE uploader != '' AND at >= uploaded_at
        )
        GROUP BY id
    ),
    completed AS (
        SELECT purpose, max(at) AS completed_at
        FROM {{name .Control "training"}}
        WHERE kind = 'training_purpose_completed' AND at <= {now:DateTime64(3, 'UTC')}
        GROUP BY purpose
    ),
    needed AS (
        SELECT id, count() AS purposes, countIf(completed_at > 0) AS done, max(completed_at) AS last_completed_at
        FROM (SELECT id, arrayJoin(serves) AS purpose FROM items) AS served
        LEFT JOIN completed USING (purpose)
        GROUP BY id
    )
SELECT id, bucket, object_key, made, size, uploaded_at, rule, since
FROM (
    SELECT
        *,
        last.2 AS withdrawn,
        [
            ('consent_withdrawn', last.1, withdrawn),
            ('consent_absent', uploaded_at, NOT ever_granted),
            ('purpose_completed', if(purposes = 0, uploaded_at, last_completed_at), purposes = done)
        ] AS reasons,
        arrayFirst(r -> r.3 AND r.2 <= multiIf({{range .Rules}}r.1 = {{literal .Rule}}, toDateTime64({{literal .Before}}, 3, 'UTC'), {{end}}toDateTime64(0, 3, 'UTC')), reasons) AS reason,
        reason.1 AS rule,
        reason.2 AS since
    FROM items
    LEFT JOIN latest USING (id)
    LEFT JOIN needed USING (id)
)
WHERE rule != '' AND id NOT IN (SELECT item FROM {{name .Control "tombstones"}})
ORDER BY since, id
