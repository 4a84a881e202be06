{{- /* The cells that can be published at one level: those whose class at this level
       holds at least k people. People are counted afresh over the cells that fit no
       finer level, because distinct counts do not add up across classes. */ -}}
INSERT INTO {{name .Control .LevelTable}}
SELECT lapse_cell, {{.Level}}
FROM {{name .Control .CellTable}}
WHERE {{template "open_cells.sql" .}}
    AND sipHash128(lapse_partition{{range index .G.Classes .Level}}, {{.}}{{end}}) IN (
        SELECT sipHash128(lapse_partition{{range index .G.Classes .Level}}, {{.}}{{end}}) AS lapse_class
        FROM {{name .Control .CellTable}}
        WHERE {{template "open_cells.sql" .}}
        GROUP BY lapse_class
        HAVING uniqExactArray(lapse_people) >= {{.G.K}}
    )
