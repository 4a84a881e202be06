{{- /* What is generalised to every value alike is nobody's in particular. */ -}}
SELECT first_month, dateDiff('month', first_month, month) AS months_later, count() AS values
FROM (
    SELECT value, month, min(month) OVER (PARTITION BY value) AS first_month
    FROM (
        SELECT DISTINCT {{name .Returning}} AS value, toStartOfMonth(day) AS month
        FROM {{name .Database .Table}}
        WHERE toString({{name .Returning}}) NOT IN ('', '*')
    )
)
GROUP BY first_month, months_later
