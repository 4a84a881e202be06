SELECT count() FROM {{name .Control "request_people"}} WHERE request IN (SELECT request FROM {{name .Control .RequestTable}})
