package config

// RequestRule says how the requests of data subjects are answered (C14, C15).
type RequestRule struct {
	Clause string `yaml:"clause"`
	// WorkingDays is in how many working days of England and Wales a request is
	// answered, the day of its receipt not counted.
	WorkingDays int `yaml:"working_days,omitempty"`
	// Within is the time for an answer where it is not counted in working days, such as
	// P1M (Article 12(3) GDPR).
	Within Period `yaml:"within,omitempty"`
	// Extension is by how long the time can be extended, with a reason; P2M if it is
	// left out (Article 12(3) GDPR).
	Extension Period `yaml:"extension,omitempty"`
	// Exports is how long the copies are kept that were made for people; P7D if it is
	// left out.
	Exports Period `yaml:"exports,omitempty"`
	// Backups is for how long backups of the stores are kept: what was erased is gone
	// from them when it has passed. If it is left out nothing is said about them.
	Backups Period `yaml:"backups,omitempty"`
	// Erasures is how long the keys of the erasure ledger are kept after the end of the
	// year in which people were erased under them; after the end of the month, if it is
	// shorter than a year. Then they are destroyed, and who was erased in that time is not
	// recognised any more. If it is left out the keys are kept. It should outlast the
	// backups.
	Erasures Period `yaml:"erasures,omitempty"`
}

// defaultWorkingDays is the time for an answer where the policy does not say: that of
// the first policy Lapse carried out.
const defaultWorkingDays = 10

// RequestRule returns the rule for requests, with what was left out filled in.
func (p *Policy) RequestRule() RequestRule {
	rule := RequestRule{Clause: "C15"}
	if p.Requests != nil {
		rule = *p.Requests
	}
	if rule.WorkingDays == 0 && rule.Within.IsZero() {
		rule.WorkingDays = defaultWorkingDays
	}
	if rule.Extension.IsZero() {
		rule.Extension = MustPeriod("P2M")
	}
	if rule.Exports.IsZero() {
		rule.Exports = MustPeriod("P7D")
	}
	return rule
}

// checkRequests checks the rule for requests.
func (p *Policy) checkRequests(r *reporter) {
	rule, at := p.Requests, place{path: "$"}.key("requests")
	if rule == nil {
		return
	}
	checkClause(r, at, rule.Clause)
	if !rule.Erasures.IsZero() && shorter(rule.Erasures, rule.Backups) {
		r.fault(at.key("erasures"), "%s is shorter than backups are kept (%s): one of them would bring people back whom nobody recognises any more", rule.Erasures, rule.Backups)
	}
	switch {
	case rule.WorkingDays < 0 || rule.WorkingDays > 60:
		r.fault(at.key("working_days"), "%d is not a time for an answer; write a number of working days such as 10", rule.WorkingDays)
	case rule.WorkingDays > 0 && !rule.Within.IsZero():
		r.fault(at.key("within"), "the time for an answer is counted in working days or as a period, not both: leave one out")
	case !rule.Within.IsZero() && shorter(MustPeriod("P1M"), rule.Within):
		r.fault(at.key("within"), "%s is longer than the month that Article 12(3) GDPR allows; extensions are for single requests", rule.Within)
	}
}

// RestsOn reports whether any purpose of d, or of its columns, has one of the legal
// bases.
func (p *Policy) RestsOn(purposes []string, bases ...Basis) bool {
	for _, u := range p.Purposes {
		if !contains(purposes, u.ID) {
			continue
		}
		for _, b := range u.LegalBases {
			if known(bases, b.Basis) {
				return true
			}
		}
	}
	return false
}
