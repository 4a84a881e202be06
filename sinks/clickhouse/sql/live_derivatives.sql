{{- /* Views, materialised views, dictionaries and tables over personal tables, and
       projections in them. Tables with rows of their own derive from nothing. Of what is in the
       database of the readable views the names are compared: their definitions are long, and
       made anew here by the server. */ -}}
SELECT database, name, engine
FROM system.tables
WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema', {{literal .Readable}})
  AND NOT endsWith(engine, 'MergeTree') AND engine != 'Memory'
  AND match(create_table_query, {{literal .Personal}})
UNION ALL
SELECT database, concat(table, '.', name), 'projection'
FROM system.projections
WHERE database = {{literal .Telemetry}}
   OR database = {{literal .Control}} AND table IN ({{range $i, $t := .ControlTables}}{{if $i}}, {{end}}{{literal $t}}{{end}})
