INSERT INTO {{name .Control "sources"}}
    (source, lapse_source, dated, day, state, path, format, bytes, read, stored, quarantined, refused, duplicate, run, as_of)
