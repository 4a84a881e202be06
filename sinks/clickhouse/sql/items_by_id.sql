{{- /* Items of the register by their ids, each with all that was made from its object,
       and the models that were trained for a purpose that it serves. An item that was
       superseded by a later registration, which has no tombstone, is there with the latest
       one, with what had been made until then, and with the keys that the later ones name,
       too. */ -}}
WITH
    (
        SELECT groupArray((toString(purpose), toString(model), at))
        FROM {{name .Control "training"}}
        WHERE kind = 'training_model'
    ) AS trained,
    wanted_items AS (
        SELECT
            bucket, object_key,
            arrayJoin(groupArrayIf((item, at, bytes, '', '', purposes), kind = 'training_item' AND item IN (SELECT item FROM wanted))) AS latest,
            arraySort(groupArrayIf((at, item), kind = 'training_item' AND item NOT IN ({{template "wanted_buried.sql" .}}))) AS living,
            arrayFilter(r -> r > (latest.2, latest.1), living)[1] AS next,
            next.2 != '' AS superseded,
            groupUniqArray((at, item, derivatives)) AS notes, groupArrayIf((at, purposes), kind = 'training_addition') AS additions,
            arrayFilter(n -> NOT superseded OR n.1 < next.1 OR n.2 = latest.1, notes) AS own,
            arrayMap(n -> n.3, own) AS lists, {{template "serves.sql"}} AS serves
        FROM {{name .Control "training"}}
        WHERE kind IN ('training_item', 'training_addition')
          AND (bucket, object_key) IN ({{template "wanted_objects.sql" .}})
        GROUP BY bucket, object_key
    )
SELECT
    latest.1, bucket, object_key, {{template "made.sql"}} AS made, latest.3, latest.2,
    arraySort(arrayDistinct(arrayMap(t -> t.2, arrayFilter(t -> t.3 >= latest.2 AND has(serves, t.1), trained)))) AS models,
    if(superseded, living[-1].2, '') AS superseded_by, arrayIntersect(made, arrayFlatten(arrayMap(n -> JSONExtract(n.3, 'Array(String)'), arrayFilter(n -> NOT has(own, n), notes)))) AS shared, NOT has(living, (latest.2, latest.1)) AS buried
FROM wanted_items
