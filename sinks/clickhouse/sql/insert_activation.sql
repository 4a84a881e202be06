INSERT INTO {{name .Control "activations"}} (policy_hash, policy_version, activated_at)
