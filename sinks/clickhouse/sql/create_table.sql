CREATE TABLE IF NOT EXISTS {{name .Database .Name}} (
{{- range $i, $c := .Columns}}{{if $i}},{{end}}
    {{name $c.Name}} {{$c.Type}} COMMENT {{literal $c.Comment}}
{{- end}}
{{- with .Index}},
    INDEX {{template "skip_index.sql" .}}
{{- end}}
)
{{- if .Over}}
ENGINE = Distributed({{literal .Cluster}}, {{literal .OverDatabase}}, {{literal .Over}})
COMMENT {{literal .Comment}}
{{- else}}
ENGINE = MergeTree
PARTITION BY {{.PartitionBy}}
ORDER BY ({{join .OrderBy ", "}})
SETTINGS
    {{- /* What is dropped must be gone soon, and provably. */}}
    old_parts_lifetime = 0, cleanup_delay_period = 1, max_cleanup_delay_period = 1, cleanup_delay_period_random_add = 0,
    {{- if .SyncsParts}}
    {{- /* What is acknowledged must outlive a power cut. */}}
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    {{- end}}
    {{- if .Deduplicates}}
    non_replicated_deduplication_window = 10000,
    {{- end}}
    {{- /* Statistics for each column of each small part cost more than they save. */}}
    auto_statistics_types = '',
    index_granularity = 8192
COMMENT {{literal .Comment}}
{{- end}}
