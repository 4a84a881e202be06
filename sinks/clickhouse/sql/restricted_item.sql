{{- /* Whether somebody to be seen has asked that it is kept and not used. */ -}}
arrayExists(lapse_person -> sipHash128Keyed({{template "hold_key.sql" .}}, lapse_person) IN ({{template "restrictions.sql" .}}), people)
