SELECT partition, count(), uniqExact(subject)
FROM {{name .Control .HashTable}}
GROUP BY partition
