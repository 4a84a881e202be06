SELECT job, max(scheduled_for)
FROM {{name .Control "runs"}} FINAL
GROUP BY job
