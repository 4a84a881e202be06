{{- /* A control table as the first node has it, read by the others where it lies. */ -}}
CREATE OR REPLACE TABLE {{name .Control .Name}} ENGINE = Distributed({{literal .Cluster}}, {{literal .Control}}, {{literal .Name}})
