(SELECT argMin((first, second), (made_at, first)) FROM {{name .Control "hold_key"}})
