package config

import "slices"

// Recipient is a class of those to whom personal data may be disclosed (C11, Article
// 13(1)(e) GDPR).
type Recipient struct {
	ID          string `yaml:"id"`
	Clause      string `yaml:"clause"`
	Description string `yaml:"description"`
}

// Recipient returns the class of recipients called id.
func (p *Policy) Recipient(id string) (*Recipient, bool) {
	i := slices.IndexFunc(p.Recipients, func(r Recipient) bool { return r.ID == id })
	if i < 0 {
		return nil, false
	}
	return &p.Recipients[i], true
}

// checkRecipients checks the classes of recipients.
func (p *Policy) checkRecipients(r *reporter) {
	seen := map[string]bool{}
	for i, c := range p.Recipients {
		at := place{path: "$"}.key("recipients").item(i, c.ID)
		unique(r, at.key("id"), seen, c.ID)
		checkClause(r, at, c.Clause)
		if c.Description == "" {
			r.fault(at.key("description"), "say who they are, in the policy's words: people are told")
		}
	}
}
