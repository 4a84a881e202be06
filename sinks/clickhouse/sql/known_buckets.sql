SELECT DISTINCT bucket
FROM {{name .Control "training"}}
WHERE kind = 'training_item' AND item NOT IN (SELECT item FROM {{name .Control "tombstones"}})
