{{- /* Views, materialised views, dictionaries and tables over the personal database, and projections in it. */ -}}
SELECT database, name, engine
FROM system.tables
WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
  AND NOT (database IN ({{literal .Telemetry}}, {{literal .Analytics}}, {{literal .Control}}) AND endsWith(engine, 'MergeTree'))
  AND (position(create_table_query, {{literal (printf "%s." .Telemetry)}}) > 0 OR position(create_table_query, {{literal (printf "`%s`." .Telemetry)}}) > 0
       OR position(create_table_query, {{literal (printf "'%s'" .Telemetry)}}) > 0)
UNION ALL
SELECT database, concat(table, '.', name), 'projection'
FROM system.projections
WHERE database = {{literal .Telemetry}}
