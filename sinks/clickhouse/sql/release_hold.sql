INSERT INTO {{name .Control "holds"}}
    (hold, dataset, subject, organisation, starts_at, ends_at, reason, placed_by, placed_at, until_at, released_by, released_at)
SELECT hold, dataset, subject, organisation, starts_at, ends_at, reason, placed_by, placed_at, until_at, {by:String}, {at:DateTime64(3, 'UTC')}
FROM {{name .Control "holds"}} FINAL
WHERE hold = {hold:UUID} AND released_at = toDateTime64(0, 3, 'UTC')
