ALTER TABLE {{name .Control "leases"}}
UPDATE ends = now64(3, 'UTC') + toIntervalMillisecond({lasts:UInt64})
WHERE name = {name:String} AND holder = {holder:String}
