SELECT day, toUInt32(max(batch) + 1)
FROM {{name .Control "seals"}}
WHERE dataset = {dataset:String} AND day BETWEEN {first:Date} AND {last:Date}
GROUP BY day
SETTINGS {{template "short.sql"}}, max_threads = 1
