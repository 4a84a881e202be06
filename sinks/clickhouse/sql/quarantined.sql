SELECT lapse_record, reason, field, lapse_source, lapse_position, first_seen, raw
FROM {{name .Control "quarantine"}}
WHERE ({record:String} = '' OR lapse_record = toUUIDOrZero({record:String}))
  AND ({reason:String} = '' OR reason = {reason:String})
ORDER BY first_seen, lapse_source, lapse_position
LIMIT {limit:UInt64}
