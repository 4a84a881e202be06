{{- /* Whether a record may be read again: all of it is there, it has not been replayed,
       and it is under no hold. */ -}}
{{template "quarantine_selected.sql"}}
    AND reason != 'line_too_long' AND length(raw) < {cut:UInt64} AND length(envelope) < {cut:UInt64}
    AND NOT {{template "held_row.sql" .Held}}
