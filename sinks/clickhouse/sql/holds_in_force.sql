{{- /* The holds on a dataset that are in force. */ -}}
SELECT subject, organisation, starts_at, ends_at
FROM {{name .Control "holds"}} FINAL
WHERE dataset IN ('', {held_in:String}) AND released_at = toDateTime64(0, 3, 'UTC')
    AND (until_at = toDateTime64(0, 3, 'UTC') OR until_at > {held_at:DateTime64(3, 'UTC')})
