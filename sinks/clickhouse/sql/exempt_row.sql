{{- /* Why a row may not be touched although its day is due, as columns. */ -}}
{{if .Holds}}{{template "held_row.sql" .}}{{else}}false{{end}} AS lapse_held,
{{if .Windows}}transform(toString({{.Organisation}}), {organisations:Array(String)}, {days:Array(Date)}, {before:Date}){{else}}{before:Date}{{end}} AS lapse_first_kept,
toDate({{name .Time}}, 'UTC') >= lapse_first_kept AS lapse_later,
{{if .Next}}(concat(substring(_partition_id, 1, 9), toString(lapse_batch + {{separatedBatches}})), lapse_record) IN (
    SELECT _partition_id, lapse_record FROM {{name .Database .Name}} WHERE _partition_id IN {next:Array(String)}
){{else}}false{{end}} AS lapse_moved
