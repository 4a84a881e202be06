INSERT INTO {{name .Control "leases"}} (name, holder, ends)
SELECT {name:String}, {holder:String}, now64(3, 'UTC') + toIntervalMillisecond({lasts:UInt64})
