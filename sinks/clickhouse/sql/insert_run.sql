INSERT INTO {{name .Control "runs"}}
    (run, job, actor, as_of, started_at, ended_at, result, error, steps, failed, policy_version, policy_hash, program)
