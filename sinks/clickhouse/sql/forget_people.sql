ALTER TABLE {{name .Control .Name}} DELETE WHERE request IN (SELECT request FROM {{name .Control .RequestTable}})
