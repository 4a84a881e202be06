package config

import (
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// The closed vocabularies of a policy, as the checks and the JSON Schema list them.
var (
	bases       = []Basis{Consent, Contract, LegalObligation, VitalInterests, PublicTask, LegitimateInterests}
	triggers    = []Trigger{EventTime, AccountClosed, LastActivity, PurposeCompleted, ConsentWithdrawn, ConsentAbsent, ChildUnconfirmed, Erasure, Uploaded}
	actions     = []Action{Anonymise, Erase}
	formats     = []InputFormat{Segment, WebLog}
	identifying = []Identifies{Directly, Indirectly, Nobody}
	derivations = []Derivation{DeriveEventTime, DeriveBrowser, DeriveBrowserVer, DeriveOS, DeriveDevice,
		DeriveAgent, DeriveNetwork, DeriveCountry, DeriveBareURL, DerivePseudonym, DeriveDropped}
)

// JSONSchema lists the words.
func (Basis) JSONSchema() *jsonschema.Schema { return enum(bases, "a ground of Article 6(1) GDPR") }

// JSONSchema lists the words.
func (Trigger) JSONSchema() *jsonschema.Schema {
	return enum(triggers, "the event from which a retention window runs")
}

// JSONSchema lists the words.
func (Action) JSONSchema() *jsonschema.Schema {
	return enum(actions, "what happens when the window has passed")
}

// JSONSchema lists the words.
func (InputFormat) JSONSchema() *jsonschema.Schema {
	return enum(formats, "the notation of the input records")
}

// JSONSchema lists the words.
func (Identifies) JSONSchema() *jsonschema.Schema {
	return enum(identifying, "how the column's values relate to a person")
}

// JSONSchema lists the words.
func (Derivation) JSONSchema() *jsonschema.Schema {
	return enum(derivations, "a computation at ingest")
}

func enum[T ~string](words []T, description string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", Description: description}
	for _, w := range words {
		s.Enum = append(s.Enum, w)
	}
	return s
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

func known[T ~string](words []T, w T) bool { return slices.Contains(words, w) }
