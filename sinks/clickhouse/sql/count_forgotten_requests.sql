SELECT count() FROM {{name .Control .Name}} WHERE request IN (SELECT request FROM {{name .Control .RequestTable}})
