SELECT job, max(ended_at)
FROM {{name .Control "runs"}} FINAL
WHERE result IN ('done', 'unchanged')
GROUP BY job
