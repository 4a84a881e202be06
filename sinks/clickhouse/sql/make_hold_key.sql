INSERT INTO {{name .Control "hold_key"}} (first, second)
SELECT {first:UInt64}, {second:UInt64}
WHERE 0 = (SELECT count() FROM {{name .Control "hold_key"}})
