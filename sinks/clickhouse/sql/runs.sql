SELECT run, job, actor, scheduled_for, as_of, started_at, ended_at, result, error, steps, failed, counts, policy_version, toString(policy_hash), program
FROM {{name .Control "runs"}} FINAL
WHERE (job = {job:String} OR empty({job:String})) AND started_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
ORDER BY started_at DESC, run
LIMIT {limit:UInt64}
