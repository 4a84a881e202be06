{{- /* What is known about one item: its registrations, decisions about its consent, its
       purposes and the models trained for them, and its marks. */ -}}
WITH {item:String} AS wanted
SELECT at, what, by, about, purpose, model
FROM (
    SELECT r.at AS at, if(r.item = wanted, 'registered', 'registered before, under the same key') AS what, toString(r.consent_by) AS by, 'item' AS about, '' AS purpose, '' AS model
    FROM {{name .Control "training"}} AS r
    INNER JOIN (SELECT bucket, object_key FROM {{name .Control "training"}} WHERE kind = 'training_item' AND item = wanted) AS same USING (bucket, object_key)
    WHERE r.kind = 'training_item'
    UNION ALL
    SELECT at, concat('consent ', decision), toString(consent_by), about, '', ''
    FROM (
{{template "training_decisions.sql" .}}
    )
    WHERE id = wanted
    UNION ALL
    SELECT n.at, replaceOne(toString(n.kind), 'training_', ''), '', if(n.object_key = '', 'purpose', 'item'), if(n.kind = 'training_addition', arrayStringConcat(JSONExtract(n.purposes, 'Array(String)'), ', '), toString(n.purpose)), toString(n.model)
    FROM {{name .Control "training"}} AS n
    CROSS JOIN (
        SELECT bucket, object_key, {{template "serves.sql"}} AS serves
        FROM (
            SELECT bucket, object_key, arrayJoin(groupArrayIf((item, at, 0, '', '', purposes), item = wanted)) AS latest, groupArrayIf((at, purposes), kind = 'training_addition') AS additions
            FROM {{name .Control "training"}}
            WHERE kind IN ('training_item', 'training_addition')
            GROUP BY bucket, object_key
        )
    ) AS own
    WHERE (n.kind IN ('training_purpose_opened', 'training_purpose_completed', 'training_model') AND has(own.serves, n.purpose)
        OR n.kind = 'training_addition')
      AND (n.object_key = '' OR n.object_key = own.object_key AND n.bucket IN ('', own.bucket))
    UNION ALL
    SELECT at, toString(event), toString(rule), 'item', '', ''
    FROM {{name .Control "training_marks"}}
    WHERE item = wanted
)
WHERE at <= {now:DateTime64(3, 'UTC')}
ORDER BY at, what
