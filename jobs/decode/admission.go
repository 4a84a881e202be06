package decode

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// admission decides whether a record may be held at all, by what it says itself and
// by the gate. What may not be held leaves nothing behind but a count, also if it
// could not be read to its end: so it comes before all that quarantines.
type admission struct {
	gate sinks.Gate

	// Consent: for each category of the policy, the slots of the record's own choice.
	choices   [][]int
	decisions []sinks.Decision
	undecided sinks.Decision // what counts where nobody has decided

	under          int // years; 0: no limit
	age, birthday  []int
	countries      [][]byte
	countryOf      []int
	candidate      sinks.Candidate
	identifiers    [][]byte
	identifierText []byte
}

// consents is a set of categories, by their place in Policy.ConsentCategories.
type consents uint32

const allConsents = consents(math.MaxUint32)

// noSlot stands for a field that the format does not have.
const noSlot = -1

// compileAdmission prepares d for the policy's gates; slot gives the slot of an
// input field, or noSlot.
func (d *Decoder) compileAdmission(p *config.Policy, gate sinks.Gate, slot func(field string) int) {
	a := &d.admission
	a.gate = gate
	for _, category := range p.ConsentCategories() {
		a.choices = append(a.choices, slotsOf(p.Consent.Fields(category), slot))
	}
	a.decisions = make([]sinks.Decision, len(a.choices))
	if a.undecided = sinks.Denied; p.Consent != nil && p.Consent.Undecided == config.Take {
		a.undecided = sinks.Granted
	}
	if m := p.MinimumAge; m != nil {
		a.under, a.age, a.birthday = m.Under, slotsOf(m.AgeFields(), slot), slotsOf(m.BirthdayFields(), slot)
	}
	if e := p.Regions.Exclude; e != nil {
		a.countryOf = slotsOf(e.Fields(), slot)
		for _, c := range e.Countries {
			a.countries = append(a.countries, []byte(c))
		}
	}
}

func slotsOf(fields []string, slot func(string) int) (slots []int) {
	for _, f := range fields {
		if s := slot(f); s != noSlot {
			slots = append(slots, s)
		}
	}
	return slots
}

// admit returns why the record may not be held, or the consents under which it is.
func (a *admission) admit(d *Decoder, t *table, at time.Time) (consents, Reason) {
	if a.under > 0 && a.tooYoung(&d.fields, at) {
		return 0, UnderAge
	}
	if len(a.countries) > 0 && a.excluded(&d.fields) {
		return 0, ExcludedRegion
	}
	for i, slots := range a.choices {
		a.decisions[i] = choice(&d.fields, slots)
	}
	if a.gate != nil && !a.gate.Admit(a.describe(d, t, at)) {
		if a.candidate.Objected {
			return 0, Objected
		}
		return 0, Erased
	}
	given := a.given()
	if !t.needs.met(given) {
		return 0, NoConsent
	}
	return given, Stored
}

// choice returns what a record itself says about a category. Where it says several
// things, what is no clear consent is none.
func choice(f *fields, slots []int) sinks.Decision {
	decision := sinks.Undecided
	for _, slot := range slots {
		switch f.at(slot).kind {
		case absent:
		case truth:
			if decision == sinks.Undecided {
				decision = sinks.Granted
			}
		default:
			decision = sinks.Denied
		}
	}
	return decision
}

// given returns the categories that are consented to.
func (a *admission) given() consents {
	given := allConsents
	for i, decision := range a.decisions {
		if decision == sinks.Undecided {
			decision = a.undecided
		}
		if decision != sinks.Granted {
			given &^= 1 << i
		}
	}
	return given
}

// met reports whether one of the needed categories is given, or none is needed.
func (need consents) met(given consents) bool { return need == 0 || need&given != 0 }

// needsOf returns the categories one of which must be given for purposes.
func needsOf(p *config.Policy, purposes []string) (need consents) {
	for _, c := range p.ConsentFor(purposes) {
		for i, category := range p.ConsentCategories() {
			if c == category {
				need |= 1 << i
			}
		}
	}
	return need
}

// describe makes the record known to the gate.
func (a *admission) describe(d *Decoder, t *table, at time.Time) *sinks.Candidate {
	a.identifiers, a.identifierText = a.identifiers[:0], a.identifierText[:0]
	for _, c := range t.subject {
		a.identifiers = append(a.identifiers, a.textOf(d, &t.columns[c]))
	}
	a.candidate = sinks.Candidate{Dataset: t.block.Dataset, Identifiers: a.identifiers, At: at, Decisions: a.decisions}
	if t.group >= 0 {
		a.candidate.Organisation = a.textOf(d, &t.columns[t.group])
	}
	return &a.candidate
}

// textOf returns a column's text as the record has it, valid until the next record.
func (a *admission) textOf(d *Decoder, c *column) []byte {
	from := len(a.identifierText)
	if f := c.value(d); f.kind != absent {
		a.identifierText = append(a.identifierText, d.fields.text(f)...)
	}
	return a.identifierText[from:len(a.identifierText):len(a.identifierText)]
}

// tooYoung reports whether the record tells an age below the limit, at the time of
// the event.
func (a *admission) tooYoung(f *fields, at time.Time) bool {
	for _, slot := range a.age {
		if years, ok := age(f, f.at(slot)); ok && years < a.under {
			return true
		}
	}
	for _, slot := range a.birthday {
		if born, ok := birthday(f, f.at(slot)); ok && at.Before(born.AddDate(a.under, 0, 0)) {
			return true
		}
	}
	return false
}

// maxAgeLength is how long a number of years may be written.
const maxAgeLength = 32

// age reads a number of years, also if it is written as text.
func age(f *fields, v field) (years int, ok bool) {
	if v.kind != number && v.kind != text {
		return 0, false
	}
	raw := bytes.TrimSpace(f.text(v))
	if len(raw) > maxAgeLength {
		return 0, false
	}
	n, err := strconv.ParseFloat(view(raw), 64)
	return int(n), err == nil && 0 <= n && n < 1000
}

// birthday reads a date, with or without a time behind it, or milliseconds.
func birthday(f *fields, v field) (time.Time, bool) {
	if v.kind == text {
		if raw := bytes.TrimSpace(f.text(v)); len(raw) >= len(time.DateOnly) {
			t, err := time.Parse(time.DateOnly, string(raw[:len(time.DateOnly)]))
			return t, err == nil
		}
		return time.Time{}, false
	}
	if v.kind == number && len(v.raw) > 0 && v.raw[0] == '-' { // before 1970
		n, ok := digits(v.raw[1:])
		return time.UnixMilli(-int64(n)).UTC(), ok && len(v.raw) <= 15
	}
	return instant(v)
}

// excluded reports whether the record is about somebody in a country whose people's
// records are refused.
func (a *admission) excluded(f *fields) bool {
	for _, slot := range a.countryOf {
		v := f.at(slot)
		if v.kind != text {
			continue
		}
		code := bytes.TrimSpace(f.text(v))
		for _, c := range a.countries {
			if bytes.EqualFold(code, c) {
				return true
			}
		}
	}
	return false
}
