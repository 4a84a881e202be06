SELECT i.item, i.bucket, i.object_key, JSONExtract(i.derivatives, 'Array(String)'), i.bytes, i.at, m.models
FROM {{name .Control "training"}} AS i
LEFT JOIN (
    SELECT item, arraySort(groupUniqArray(model)) AS models
    FROM (
        SELECT item, at, arrayJoin(JSONExtract(purposes, 'Array(String)')) AS purpose
        FROM {{name .Control "training"}}
        WHERE kind = 'training_item' AND item IN (SELECT item FROM wanted)
    ) AS served
    INNER JOIN (
        SELECT toString(purpose) AS purpose, toString(model) AS model, at AS trained_at
        FROM {{name .Control "training"}}
        WHERE kind = 'training_model'
    ) AS trained USING (purpose)
    WHERE trained_at >= at
    GROUP BY item
) AS m USING (item)
WHERE i.kind = 'training_item' AND i.item IN (SELECT item FROM wanted)
