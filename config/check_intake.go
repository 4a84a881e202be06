package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	categoryPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	countryPattern  = regexp.MustCompile(`^[A-Z]{2}$`)
)

// maxConsentCategories bounds the categories that a policy can tell apart.
const maxConsentCategories = 32

// checkIntake checks the rules by which records are refused or changed when they
// are taken in.
func (p *Policy) checkIntake(r *reporter) {
	root := place{path: "$"}
	p.checkConsent(r, root)
	if a := p.MinimumAge; a != nil {
		at := root.key("minimum_age")
		checkClause(r, at, a.Clause)
		if a.Under < 1 || a.Under > 150 {
			r.fault(at.key("under"), "%d is not an age; write the age in years from which records are taken, such as 18", a.Under)
		}
		checkPaths(r, at.key("age"), a.Age)
		checkPaths(r, at.key("birthday"), a.Birthday)
	}
	if e := p.Regions.Exclude; e != nil {
		at := root.key("regions").key("exclude")
		checkClause(r, at, e.Clause)
		checkPaths(r, at.key("from"), e.From)
		if len(e.Countries) == 0 {
			r.fault(at.key("countries"), "name the countries whose people's records are refused")
		}
		for i, c := range e.Countries {
			if !countryPattern.MatchString(c) {
				r.fault(at.key("countries").item(i, c), "%q is not a country; write an ISO 3166-1 code of two capital letters such as FR", c)
			}
		}
	}
	if days, whole := p.Deduplication.days(); !p.Deduplication.IsZero() && (!whole || days > maxHorizon) {
		r.fault(root.key("deduplication"), "copies are looked for on whole days, up to %d; write a period such as P7D", maxHorizon)
	}
	p.checkPseudonyms(r, root)
}

func (p *Policy) checkConsent(r *reporter, root place) {
	categories := p.ConsentCategories()
	for i, u := range p.Purposes {
		at := root.key("purposes").item(i, u.ID).key("consent")
		if u.Consent != "" && !categoryPattern.MatchString(u.Consent) {
			r.fault(at, "%q is not a category of consent; write a name of context.consent.categoryPreferences, such as analytics", u.Consent)
		}
	}
	switch at := root.key("consent"); {
	case len(categories) > maxConsentCategories:
		r.fault(root.key("purposes"), "purposes rest on %d categories of consent; use %d at most", len(categories), maxConsentCategories)
	case slices.Contains(categories, ObjectionCategory):
		r.fault(root.key("purposes"), "%q stands for objections in the consent ledger; call the category of consent otherwise", ObjectionCategory)
	case p.Consent == nil && len(categories) > 0:
		r.fault(root.key("purposes"), "purposes rest on consent: say under consent what holds where nobody has decided (undecided: take or refuse)")
	case p.Consent != nil:
		checkClause(r, at, p.Consent.Clause)
		if !p.Consent.Keep.IsZero() {
			checkReason(r, at, p.Consent.Clause, p.Consent.Rationale)
		}
		if !known(choices, p.Consent.Undecided) {
			r.fault(at.key("undecided"), "%q is not a choice; use %s", p.Consent.Undecided, join(choices))
		}
		for _, category := range slices.Sorted(maps.Keys(p.Consent.From)) {
			from := at.key("from").key(category)
			if !slices.Contains(categories, category) {
				r.fault(from, "no purpose rests on the category %q", category)
			}
			checkPaths(r, from, p.Consent.From[category])
		}
	}
}

func checkPaths(r *reporter, at place, paths []string) {
	for i, path := range paths {
		if !isPath(path) {
			r.fault(at.item(i, path), "%q is not a field; write a dotted path such as context.traits.age", path)
		}
	}
}

func isPath(path string) bool { return path != "" && !slices.Contains(strings.Split(path, "."), "") }

func (p *Policy) checkPseudonyms(r *reporter, root place) {
	at := root.key("pseudonyms")
	used := false
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if !d.DerivesPseudonyms() {
			continue
		}
		used = true
		list := root.key("datasets").item(i, d.Name)
		if _, ok := d.Window(EventTime); !ok {
			r.fault(list.key("retention"), "its pseudonyms' keys are destroyed when the records' windows have passed; add a window from event_time")
		}
	}
	switch {
	case p.Pseudonyms != nil:
		checkClause(r, at, p.Pseudonyms.Clause)
		if !slices.Contains([]string{"P1D", "P1M", "P1Y"}, p.Pseudonyms.Rotate.String()) {
			r.fault(at.key("rotate"), "%q is not a period of keys; use P1D, P1M or P1Y", p.Pseudonyms.Rotate)
		}
	case used:
		r.fault(root.key("datasets"), "columns derive pseudonyms: say under pseudonyms how long a key is used, such as rotate: P1M")
	}
}
