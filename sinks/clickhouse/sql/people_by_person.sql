SELECT person, uniqExactIf(record, NOT held), uniqExactIf(record, held), max(at)
FROM {{name .Control .RowTable}}
GROUP BY person
ORDER BY person
