ALTER TABLE {{name .Control "request_people"}} DELETE WHERE request IN (SELECT request FROM {{name .Control .RequestTable}})
