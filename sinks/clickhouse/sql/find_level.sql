{{- /* The cells that can be published at one level: those whose class at this level
       holds at least k people. People are counted afresh over the cells that fit no
       finer level, because distinct counts do not add up across classes. */ -}}
{{- $class := print "lapse_class_" .Level -}}
INSERT INTO {{name .Control .LevelTable}}
SELECT lapse_cell, {{.Level}}
FROM {{name .Control .CellTable}}
WHERE {{template "open_cells.sql" .}}
    AND {{$class}} IN (
        SELECT {{$class}}
        FROM {{name .Control .CellTable}}
        WHERE {{template "open_cells.sql" .}}
        GROUP BY {{$class}}
        HAVING {{if .G.CountsUpToK}}uniqUpToArray({{.G.K}}){{else}}uniqExactArray{{end}}(lapse_people) >= {{.G.K}}
    )
{{- range .G.Sensitive}}
    AND {{$class}} IN (
        SELECT lapse_class
        FROM (
            SELECT lapse_class, groupArray(lapse_number) AS lapse_counts, groupArray(lapse_share) AS lapse_shares
            FROM (
                SELECT lapse_partition, lapse_class, lapse_pair.2 AS lapse_sensitive, count() AS lapse_number
                FROM (
                    SELECT DISTINCT lapse_partition, {{$class}} AS lapse_class, arrayJoin({{.Pairs}}) AS lapse_pair
                    FROM {{name $.Control $.CellTable}}
                    WHERE {{template "open_cells.sql" $}}
                )
                GROUP BY lapse_partition, lapse_class, lapse_sensitive
            ) AS lapse_here
            INNER JOIN (
                SELECT lapse_partition, lapse_pair.2 AS lapse_sensitive, count() / sum(count()) OVER (PARTITION BY lapse_partition) AS lapse_share
                FROM (SELECT DISTINCT lapse_partition, arrayJoin({{.Pairs}}) AS lapse_pair FROM {{name $.Control $.CellTable}})
                GROUP BY lapse_partition, lapse_sensitive
            ) AS lapse_overall USING (lapse_partition, lapse_sensitive)
            GROUP BY lapse_class
        )
        WHERE {{.Condition}}
    )
{{- end}}
