INSERT INTO {{name .Control "disclosures"}}
    (disclosure, dataset, personal, recipient, region, safeguard, reason, disclosed_by, rows, from_at, to_at, disclosed_at, policy_hash)
