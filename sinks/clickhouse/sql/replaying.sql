INSERT INTO {{name .Control "replaying"}} (source, lapse_source, open)
SELECT {source:UUID}, {lapse_source:UInt64}, {open:Bool}
