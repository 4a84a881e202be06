SELECT partition, uniqExactIf(record, NOT held), uniqExactIf(record, held), uniqExactIf(person, NOT held)
FROM {{name .Control .RowTable}}
GROUP BY partition
ORDER BY partition
