{{- /* Compares what is published, class by class, with what the rows that it was made of
       give, of which the people were counted again, by the published values. */ -}}
SELECT if(lapse_published.lapse_rows > 0, lapse_published.lapse_in, lapse_personal.lapse_in) AS lapse_partition,
    countIf(lapse_published.lapse_rows != lapse_personal.lapse_rows), count(), min(lapse_personal.lapse_people), sum(lapse_published.lapse_rows)
FROM (
    SELECT {{.G.PublishedClass}} AS lapse_class, any(toString(_partition_id)) AS lapse_in, count() AS lapse_rows
    FROM {{name .G.Published.Database .G.Published.Name}}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY lapse_class
) AS lapse_published
FULL OUTER JOIN {{name .Control .ClassTable}} AS lapse_personal USING (lapse_class)
GROUP BY lapse_partition
