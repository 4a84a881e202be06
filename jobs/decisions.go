package jobs

import (
	"fmt"
	"strings"

	"github.com/facesoft/lapse/config"
)

// Decision is what is inferred or decided about people by machines alone, for a purpose
// (Articles 15(1)(h) and 22 GDPR).
type Decision struct {
	Purpose      string   `json:"purpose"`
	Clause       string   `json:"clause"`
	LegalBases   []string `json:"legal_bases"`
	Logic        string   `json:"logic"`
	Significance string   `json:"significance"`
	Review       string   `json:"review"`
}

// Decisions returns what the policy's purposes involve of that; none if none does.
func Decisions(p *config.Policy) []Decision {
	decisions := []Decision{}
	for _, u := range p.Purposes {
		if u.Automated == nil {
			continue
		}
		review := u.Automated.Review
		if officer := officerInWords(p); review == "" {
			review = "ask " + officer + " to have a person look at it, to be heard, or to contest it"
		} else if officer != "" {
			review += " (" + officer + ")"
		}
		decisions = append(decisions, Decision{
			Purpose: u.Description, Clause: u.Automated.Clause, LegalBases: basesInWords(u.LegalBases),
			Logic: u.Automated.Logic, Significance: u.Automated.Significance, Review: review,
		})
	}
	return decisions
}

// DecisionsInWords answers which decisions are made about people without a person.
func DecisionsInWords(p *config.Policy) string {
	decisions := Decisions(p)
	if len(decisions) == 0 {
		words := "none: the policy has no purpose for which people are judged without a person"
		if officer := officerInWords(p); officer != "" {
			words += "; questions go to " + officer
		}
		return words
	}
	words := make([]string, len(decisions))
	for i, d := range decisions {
		words[i] = fmt.Sprintf("%s (%s; %s). Logic: %s. What it means: %s. Review: %s", d.Purpose, d.Clause, strings.Join(d.LegalBases, ", or "), d.Logic, d.Significance, d.Review)
	}
	return strings.Join(words, "\n")
}

// officerInWords names the data protection officer.
func officerInWords(p *config.Policy) string {
	words := p.DPO.Name
	if p.DPO.Email != "" {
		words = strings.TrimPrefix(words+", "+p.DPO.Email, ", ")
	}
	return words
}
