{{- /* Of the granules of a table, those in which a person may be found: a Bloom filter for
       each column, in one index, so that a search by any of the columns goes by it. */ -}}
lapse_people ({{join .Finds ", "}}) TYPE bloom_filter(0.05) GRANULARITY 1
