SELECT run, job, actor, scheduled_for, as_of, started_at, ended_at, result, error, steps, failed, counts, policy_version, toString(policy_hash), program
FROM {{name .Control "runs"}} FINAL
ORDER BY job, started_at DESC
LIMIT 1 BY job
