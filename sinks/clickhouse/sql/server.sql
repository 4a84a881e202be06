SELECT version(), currentUser(), now64(3, 'UTC'), toUInt64(getSetting('readonly'))
