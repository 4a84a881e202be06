SELECT count() FROM {{name .Control "runs"}} WHERE ended_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')
