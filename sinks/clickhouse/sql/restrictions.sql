SELECT subject FROM {{name .Control "holds"}} FINAL
WHERE startsWith(reason, {{literal .Restriction}}) AND subject != toFixedString('', 16) AND released_at = toDateTime64(0, 3, 'UTC')
