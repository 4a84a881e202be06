package config

import _ "embed" // for the JSON Schema

// PolicySchema is the JSON Schema (draft 2020-12) of the policy file. Editors
// check and complete a policy with it.
//
//go:embed policy.schema.json
var PolicySchema []byte
