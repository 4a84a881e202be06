{{- /* The people of the smallest class of a partition, of the partition in which they are most. */ -}}
SELECT max(lapse_smallest) FROM (SELECT min(lapse_people) AS lapse_smallest FROM {{name .Control .ClassTable}} GROUP BY lapse_in)
