{{- /* The objects that the register expects in a bucket: items and what was made from
       them, but not what has a tombstone. If asked, those of some keys alone. */ -}}
SELECT key, item, derivative, size, sha256
FROM (
    SELECT object_key AS key, argMax(item, (at, item)) AS item, 0 AS derivative, argMax(bytes, (at, training.item)) AS size, argMax(sha256, (at, training.item)) AS sha256
    FROM {{name .Control "training"}} AS training
    WHERE kind = 'training_item' AND bucket = {bucket:String} AND training.item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
      {{- if .Wanted}} AND object_key IN (SELECT key FROM wanted){{end}}
    GROUP BY object_key
    UNION ALL
    SELECT arrayJoin(JSONExtract(derivatives, 'Array(String)')) AS key, item, 1, 0, ''
    FROM {{name .Control "training"}}
    WHERE kind = 'training_item' AND bucket = {bucket:String} AND item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
      {{- if .Wanted}} AND key IN (SELECT key FROM wanted){{end}}
    UNION ALL
    SELECT added.key, items.item, 1, 0, ''
    FROM (
        SELECT object_key, arrayJoin(JSONExtract(derivatives, 'Array(String)')) AS key
        FROM {{name .Control "training"}}
        WHERE kind = 'training_addition' AND bucket = {bucket:String}
          {{- if .Wanted}} AND key IN (SELECT key FROM wanted){{end}}
    ) AS added
    INNER JOIN (
        SELECT object_key, argMax(item, (at, item)) AS item
        FROM {{name .Control "training"}} AS training
        WHERE kind = 'training_item' AND bucket = {bucket:String} AND training.item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
          AND object_key IN (SELECT object_key FROM {{name .Control "training"}} WHERE kind = 'training_addition')
        GROUP BY object_key
    ) AS items USING (object_key)
)
ORDER BY key, derivative
LIMIT 1 BY key
