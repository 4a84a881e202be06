ALTER TABLE {{name .Control "leases"}}
UPDATE holder = {holder:String}, ends = now64(3, 'UTC') + toIntervalMillisecond({lasts:UInt64})
WHERE name = {name:String} AND ends + toIntervalMillisecond({slack:UInt64}) < now64(3, 'UTC')
