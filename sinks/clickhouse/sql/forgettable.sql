SELECT count(), groupBitXor(sipHash64(item))
FROM {{name .Control "training"}}
WHERE {{template "forgettable_rows.sql" .}}
