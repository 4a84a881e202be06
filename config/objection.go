package config

// ObjectionCategory is the category under which the consent ledger has objections to
// processing that rests on legitimate interests (Article 21 GDPR): a refusal is an
// objection. No purpose of a policy may rest on it.
const ObjectionCategory = "legitimate_interests"

// Objectable reports whether an objection stops the processing of a dataset's records:
// every purpose of it rests on legitimate interests and on nothing else.
func (p *Policy) Objectable(d *Dataset) bool {
	for _, u := range p.Purposes {
		if !contains(d.Purposes, u.ID) {
			continue
		}
		for _, b := range u.LegalBases {
			if b.Basis != LegitimateInterests {
				return false
			}
		}
	}
	return len(d.Purposes) > 0
}
