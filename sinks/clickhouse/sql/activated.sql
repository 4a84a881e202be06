SELECT count() FROM {{name .Control "activations"}} WHERE policy_hash = {hash:String}
