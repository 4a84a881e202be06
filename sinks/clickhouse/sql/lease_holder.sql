SELECT holder FROM {{name .Control "leases"}} WHERE name = {name:String}
