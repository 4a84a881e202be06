{{- /* Counts the rows and the people of each class that the rows of the copy make at their
       levels, by the values and under a key of its own: what is published is compared with
       these. A class is of one partition. Beside the writing of the rows it has one core, so
       that they have the other. */ -}}
INSERT INTO {{name .Control .ClassTable}}
SELECT {{if .Levels}}multiIf({{range .Levels}}lapse_level = {{.}}, lapse_check_{{.}}, {{end}}0){{else}}toUInt64(0){{end}} AS lapse_class, any(toString(lapse_partition)), count(), {{if .UpToK}}uniqUpTo({{.G.K}}){{else}}uniqExact{{end}}(lapse_subject)
FROM (
{{template "checked_people.sql" .}}
) AS lapse_rows
SEMI LEFT JOIN {{name .Control .LevelTable}} AS lapse_levels USING (lapse_cell)
GROUP BY lapse_class
{{- if .InMemory}}
SETTINGS max_threads = 1
{{- end}}
