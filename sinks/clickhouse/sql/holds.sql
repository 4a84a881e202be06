{{- /* An end that is further away than the client's times reach is none. */ -}}
SELECT hold, dataset, subject != toFixedString('', 16), organisation != toFixedString('', 16), starts_at, if(ends_at < toDateTime64('2262-01-01 00:00:00', 3, 'UTC'), ends_at, toDateTime64(0, 3, 'UTC')), reason, placed_by, placed_at, until_at, released_by, released_at
FROM {{name .Control "holds"}} FINAL
ORDER BY placed_at DESC, hold
