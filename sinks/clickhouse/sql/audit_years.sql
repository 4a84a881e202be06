SELECT year, uniqExact(position), max(position), argMax(action, position) = 'close_year'
FROM {{name .Control "audit"}}
GROUP BY year
ORDER BY year
