INSERT INTO {{name .Control "replays"}} (source, lapse_source, position, fate, from_dated, from_day, dated, day, run)
