{{- /* Items of the register by their ids, each with all that was made from its object,
       and the models that were trained for a purpose that it serves. An item that was
       superseded by a later registration, which has no tombstone, is there with the latest
       one, with what had been made until then, and with the keys that the later ones name,
       too. */ -}}
WITH wanted_items AS (
    SELECT
        bucket, object_key,
        arrayJoin(groupArrayIf((item, at, bytes, '', '', purposes), kind = 'training_item' AND item IN (SELECT item FROM wanted))) AS latest,
        arraySort(groupArrayIf((at, item), kind = 'training_item' AND item NOT IN (SELECT item FROM {{name .Control "tombstones"}}))) AS living,
        arrayFilter(r -> r > (latest.2, latest.1), living)[1] AS next,
        next.2 != '' AS superseded,
        groupUniqArray((at, item, derivatives)) AS notes, groupArrayIf((at, purposes), kind = 'training_addition') AS additions,
        arrayFilter(n -> NOT superseded OR n.1 < next.1 OR n.2 = latest.1, notes) AS own,
        arrayMap(n -> n.3, own) AS lists
    FROM {{name .Control "training"}}
    WHERE kind IN ('training_item', 'training_addition')
      AND (bucket, object_key) IN (SELECT bucket, object_key FROM {{name .Control "training"}} WHERE kind = 'training_item' AND item IN (SELECT item FROM wanted))
    GROUP BY bucket, object_key
)
SELECT
    latest.1, bucket, object_key, {{template "made.sql"}} AS made, latest.3, latest.2, m.models,
    if(superseded, living[-1].2, '') AS superseded_by, arrayIntersect(made, arrayFlatten(arrayMap(n -> JSONExtract(n.3, 'Array(String)'), arrayFilter(n -> NOT has(own, n), notes)))) AS shared
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
