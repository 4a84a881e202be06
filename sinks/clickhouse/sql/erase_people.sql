{{- /* Where nearly all that there is has to be written anew, the index is made anew with it, which
       costs nothing then: of a mutation that does that ClickHouse knows that it changes each
       part, and does not look for the records in it first. */ -}}
ALTER TABLE {{name .Database .Name}} DELETE WHERE lapse_record IN {{name .Control .RecordTable}}
{{- if .Everywhere}}, MATERIALIZE INDEX {{name .Index.Name}}{{end}}
