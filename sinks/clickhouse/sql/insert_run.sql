INSERT INTO {{name .Control "runs"}}
    (run, job, actor, scheduled_for, as_of, started_at, ended_at, result, error, steps, failed, counts, policy_version, policy_hash, program)
