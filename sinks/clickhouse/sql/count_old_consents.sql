SELECT count() FROM {{name .Control "consents"}} WHERE decided_at <= {before:DateTime64(3, 'UTC')}
