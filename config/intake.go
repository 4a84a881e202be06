package config

import (
	"slices"

	"github.com/invopop/jsonschema"
)

// ConsentRule says how the consent that records carry is used (C8): which purposes
// rest on which category of choices, their Purpose.Consent says.
type ConsentRule struct {
	Clause string `yaml:"clause"`
	// Undecided says what holds where neither the record nor the consent ledger has
	// a decision about a category: take, or refuse.
	Undecided Choice `yaml:"undecided"`
	// From names, for a category, further fields of records that carry the decision
	// about it, such as traits.marketing. A record that says several things does not
	// consent.
	From map[string]StringList `yaml:"from,omitempty"`
	// Keep is how long a decision is kept that holds no more, as proof of what held
	// then: one in whose place a later one has come, from that on; a consent of somebody
	// of whom nothing is held, from when it was given. What still holds is kept: a
	// refusal, and a consent that data rest on. P3Y if it is left out.
	Keep Period `yaml:"keep,omitempty"`
	// Rationale says why this long.
	Rationale string `yaml:"rationale,omitempty"`
}

// defaultConsentKeep outlasts the usual dispute about what somebody has consented to.
var defaultConsentKeep = MustPeriod("P3Y")

// ConsentWindow returns how long decisions about consent and objections are kept that hold
// no more.
func (p *Policy) ConsentWindow() *Window {
	w := &Window{Keep: defaultConsentKeep, Action: Erase, Clause: p.Quarantine.Clause}
	if c := p.Consent; c != nil {
		w.Clause, w.Rationale = c.Clause, c.Rationale
		if !c.Keep.IsZero() {
			w.Keep = c.Keep
		}
	}
	return w
}

// Fields returns the fields with the decision about a category: the consent object
// of the Segment specification, and those that the policy adds.
func (c *ConsentRule) Fields(category string) []string {
	fields := []string{"context.consent.categoryPreferences." + category}
	if c == nil {
		return fields
	}
	return append(fields, c.From[category]...)
}

// Choice is what to do with a record.
type Choice string

// The choices.
const (
	Take   Choice = "take"
	Refuse Choice = "refuse"
)

var choices = []Choice{Take, Refuse}

// JSONSchema lists the words.
func (Choice) JSONSchema() *jsonschema.Schema { return enum(choices, "what to do with a record") }

// AgeRule refuses records about people below an age (C9). It looks at what the
// record itself says; where it says nothing, nobody is refused.
type AgeRule struct {
	// Under is the age in years from which records are taken.
	Under  int    `yaml:"under"`
	Clause string `yaml:"clause"`
	// Age names the fields with an age in years; if left out, those of the Segment
	// specification: traits.age and context.traits.age.
	Age StringList `yaml:"age,omitempty"`
	// Birthday names the fields with a date of birth; if left out, traits.birthday
	// and context.traits.birthday.
	Birthday StringList `yaml:"birthday,omitempty"`
}

// AgeFields returns the fields with an age.
func (a *AgeRule) AgeFields() []string {
	if len(a.Age) > 0 {
		return a.Age
	}
	return []string{"traits.age", "context.traits.age"}
}

// BirthdayFields returns the fields with a date of birth.
func (a *AgeRule) BirthdayFields() []string {
	if len(a.Birthday) > 0 {
		return a.Birthday
	}
	return []string{"traits.birthday", "context.traits.birthday"}
}

// Exclusion refuses records about people in some countries, such as those whose law
// forbids to hold the data elsewhere (C10).
type Exclusion struct {
	Clause string `yaml:"clause"`
	// Countries are ISO 3166-1 alpha-2 codes.
	Countries []string `yaml:"countries"`
	// From names the fields with the country's code; if left out,
	// context.location.country.
	From StringList `yaml:"from,omitempty"`
}

// Fields returns the fields with the country's code.
func (e *Exclusion) Fields() []string {
	if len(e.From) > 0 {
		return e.From
	}
	return []string{"context.location.country"}
}

// PseudonymRule says how identifiers are replaced by keyed hashes where a column
// derives a pseudonym. Each period of event time has a key of its own, which is
// destroyed when the windows of its records have passed: from then on nobody can
// tell whose a pseudonym was. Until then it is personal data.
type PseudonymRule struct {
	Clause string `yaml:"clause"`
	// Rotate is the length of a period, such as P1M: a day, a month or a year. Periods
	// begin with the day, the month or the year, UTC.
	Rotate Period `yaml:"rotate"`
}

// The deduplication horizon, in days.
const (
	defaultHorizon = 7
	maxHorizon     = 366
)

// DeduplicationDays returns how many days before and after a record's own its copy
// is looked for.
func (p *Policy) DeduplicationDays() int {
	if days, _ := p.Deduplication.days(); days > 0 {
		return days
	}
	return defaultHorizon
}

// ConsentCategories returns the categories of choices that purposes rest on, each
// once, in the order of the register.
func (p *Policy) ConsentCategories() []string {
	var categories []string
	for _, u := range p.Purposes {
		if u.Consent != "" && !slices.Contains(categories, u.Consent) {
			categories = append(categories, u.Consent)
		}
	}
	return categories
}

// ConsentFor returns the categories of choices one of which must be consented to
// for the given purposes; none if a purpose rests on something else.
func (p *Policy) ConsentFor(purposes []string) []string {
	var categories []string
	for _, u := range p.Purposes {
		if !slices.Contains(purposes, u.ID) {
			continue
		}
		if u.Consent == "" {
			return nil
		}
		categories = append(categories, u.Consent)
	}
	return categories
}

// DerivesPseudonyms reports whether a column of d holds pseudonyms.
func (d *Dataset) DerivesPseudonyms() bool {
	return slices.ContainsFunc(d.Columns, func(c Column) bool { return c.Derive == DerivePseudonym })
}

// TakesLate reports whether records of days that are past the window are taken: if
// they are, they are due at once. Where the policy does not say, they are taken if
// they can still be published anonymised.
func (w *Window) TakesLate() bool {
	if w.Late == "" {
		return w.Action == Anonymise
	}
	return w.Late == Take
}
