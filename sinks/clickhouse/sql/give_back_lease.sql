ALTER TABLE {{name .Control "leases"}} DELETE WHERE name = {name:String} AND holder = {holder:String}
