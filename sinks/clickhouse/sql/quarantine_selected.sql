({record:String} = '' OR lapse_record = toUUIDOrZero({record:String}))
    AND ({reason:String} = '' OR reason = {reason:String})
    AND first_seen < {before:DateTime64(3, 'UTC')}
