SELECT argMax(run, started_at), job, argMax(actor, started_at), argMax(as_of, started_at), max(started_at), argMax(ended_at, started_at),
    argMax(result, started_at), argMax(error, started_at), argMax(steps, started_at), argMax(failed, started_at), argMax(program, started_at)
FROM {{name .Control "runs"}} FINAL
GROUP BY job
ORDER BY job
