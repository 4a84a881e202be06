INSERT INTO {{name .Control "tombstones"}} (item, object, rule, bytes, objects, uploaded_at, purged_at, policy_version, policy_hash, models)
