SELECT day, batch FROM {{name .Control "publications"}} FINAL WHERE dataset = {dataset:String} AND day < {before:Date}
