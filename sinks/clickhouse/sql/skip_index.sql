{{- /* Of the granules of a table, those in which a value may be found: a Bloom filter for
       each column, in one index, so that a search by any of the columns goes by it. */ -}}
{{name .Name}} ({{join .Columns ", "}}) TYPE bloom_filter({{.FalsePositives}}) GRANULARITY 1
