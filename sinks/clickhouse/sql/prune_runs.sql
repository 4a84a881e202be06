ALTER TABLE {{name .Control "runs"}} DELETE WHERE ended_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')
