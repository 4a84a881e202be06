SELECT stray, min(first_seen)
FROM {{name .Control "training_strays"}}
WHERE bucket = {bucket:String}
GROUP BY stray
