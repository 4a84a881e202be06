SELECT count() FROM ({{template "holds_in_force.sql" .}})
