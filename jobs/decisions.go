package jobs

import (
	"strings"

	"github.com/facesoft/lapse/config"
)

// DecisionsInWords answers which decisions are made about people without a person, as
// the policy has it.
func DecisionsInWords(p *config.Policy) string {
	words := "nothing that is held here is used to decide about you without a person"
	var who []string
	for _, name := range []string{p.DPO.Name, p.DPO.Email} {
		if name != "" {
			who = append(who, name)
		}
	}
	if len(who) > 0 {
		words += "; questions go to " + strings.Join(who, ", ")
	}
	return words
}
