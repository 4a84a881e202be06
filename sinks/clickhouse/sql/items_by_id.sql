{{- /* Items of the register by their ids, each with all that was made from its object,
       and the models that were trained for a purpose that it serves. */ -}}
WITH wanted_items AS (
    SELECT
        bucket, object_key,
        arrayJoin(groupArrayIf((item, at, bytes, '', '', purposes), kind = 'training_item' AND item IN (SELECT item FROM wanted))) AS latest,
        groupUniqArray(derivatives) AS lists, groupArrayIf((at, purposes), kind = 'training_addition') AS additions
    FROM {{name .Control "training"}}
    WHERE kind IN ('training_item', 'training_addition')
      AND (bucket, object_key) IN (SELECT bucket, object_key FROM {{name .Control "training"}} WHERE kind = 'training_item' AND item IN (SELECT item FROM wanted))
    GROUP BY bucket, object_key
)
SELECT latest.1, bucket, object_key, {{template "made.sql"}}, latest.3, latest.2, m.models
FROM wanted_items
LEFT JOIN (
    SELECT id, arraySort(groupUniqArray(model)) AS models
    FROM (SELECT latest.1 AS id, latest.2 AS uploaded_at, arrayJoin({{template "serves.sql"}}) AS purpose FROM wanted_items) AS served
    INNER JOIN (
        SELECT toString(purpose) AS purpose, toString(model) AS model, at AS trained_at
        FROM {{name .Control "training"}}
        WHERE kind = 'training_model'
    ) AS trained USING (purpose)
    WHERE trained_at >= uploaded_at
    GROUP BY id
) AS m ON latest.1 = m.id
