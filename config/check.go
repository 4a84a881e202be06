package config

import (
	"regexp"
	"slices"
	"strings"
)

var (
	versionPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)
	clausePattern  = regexp.MustCompile(`^C[0-9]{1,2}$`)
	fieldPattern   = regexp.MustCompile(`^([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)$`)
)

// ReservedPrefix begins the names of the columns that Lapse adds to every table.
const ReservedPrefix = "lapse_"

func (p *Policy) check(r *reporter) {
	root := place{path: "$"}
	if p.Format != PolicyFormat {
		r.fault(root.key("lapse"), "this program reads format %d; write 'lapse: %d'", PolicyFormat, PolicyFormat)
	}
	checkVersion(r, root.key("name"), p.Name)
	checkVersion(r, root.key("version"), p.Version)
	if p.EffectiveFrom.IsZero() {
		r.fault(root.key("effective_from"), "say from which day this version applies, as YYYY-MM-DD")
	}
	if p.TimeZone.location == nil {
		r.fault(root.key("time_zone"), "say in which time zone months and days are counted, such as Europe/London")
	}
	checkParty(r, root.key("controller"), p.Controller)
	checkParty(r, root.key("dpo"), p.DPO)
	if len(p.Regions.Allowed) == 0 {
		r.fault(root.key("regions").key("allowed"), "name at least one region in which personal data may lie, such as EEA")
	}
	p.checkRegisters(r)
	p.checkDatasets(r)
	p.checkViews(r)
	p.checkTraining(r)
	p.checkIntake(r)
	p.checkInputFiles(r)
	p.checkRequests(r)
	p.checkRecipients(r)
	q := root.key("quarantine")
	checkKeep(r, q, p.Quarantine.Keep, false)
	checkReason(r, q, p.Quarantine.Clause, p.Quarantine.Rationale)
}

func checkVersion(r *reporter, at place, s string) {
	if !versionPattern.MatchString(s) {
		r.fault(at, "%q cannot stand in an audit entry; use 1 to 63 of a-z, 0-9, '_', '.', '-'", s)
	}
}

func checkName(r *reporter, at place, s string) bool {
	if namePattern.MatchString(s) && !strings.HasPrefix(s, ReservedPrefix) {
		return true
	}
	r.fault(at, "%q is not a name; use a-z, 0-9 and '_', beginning with a letter (and not with %q)", s, ReservedPrefix)
	return false
}

func checkParty(r *reporter, at place, p Party) {
	if p.Name == "" {
		r.fault(at.key("name"), "say who this is; reports and certificates name them")
	}
}

func checkReason(r *reporter, at place, clause, rationale string) {
	checkClause(r, at, clause)
	if strings.TrimSpace(rationale) == "" {
		r.fault(at.key("rationale"), "say why this long: a window without a reason cannot be defended (Article 5(1)(e) GDPR)")
	}
}

func checkClause(r *reporter, at place, clause string) {
	if !clausePattern.MatchString(clause) {
		r.fault(at.key("clause"), "%q is not a clause; write the policy's clause such as C12", clause)
	}
}

// checkKeep refuses windows that keep nothing, which would remove everything.
func checkKeep(r *reporter, at place, keep Period, zeroAllowed bool) {
	if keep.IsZero() && !zeroAllowed {
		r.fault(at.key("keep"), "a window of no length would remove everything; write a period such as P13M, or at_once: true beside a retention window where that is meant")
	}
	if keep.text == "" && zeroAllowed {
		r.fault(at.key("keep"), "write how long, such as P0D for at once")
	}
}

// checkRegisters checks the data categories and the purpose register.
func (p *Policy) checkRegisters(r *reporter) {
	root := place{path: "$"}
	seen := map[string]bool{}
	for i, c := range p.Categories {
		at := root.key("categories").item(i, c.ID)
		unique(r, at.key("id"), seen, c.ID)
		checkClause(r, at, c.Clause)
		if len(c.Fields) == 0 {
			r.fault(at.key("fields"), "list the category's fields, each with the policy's words for it")
		}
		for name := range c.Fields {
			checkName(r, at.key("fields").key(name), name)
		}
	}
	if len(p.Purposes) == 0 {
		r.fault(root.key("purposes"), "the register of purposes is empty: no purpose, no storage")
	}
	seen = map[string]bool{}
	for i, u := range p.Purposes {
		at := root.key("purposes").item(i, u.ID)
		unique(r, at.key("id"), seen, u.ID)
		checkClause(r, at, u.Clause)
		if len(u.LegalBases) == 0 {
			r.fault(at.key("legal_bases"), "a purpose needs a legal basis (Article 6(1) GDPR)")
		}
		if a := u.Automated; a != nil {
			at := at.key("automated")
			checkClause(r, at, a.Clause)
			if a.Logic == "" {
				r.fault(at.key("logic"), "say by which logic people are judged (Article 15(1)(h) GDPR)")
			}
			if a.Significance == "" {
				r.fault(at.key("significance"), "say what it means for people, and what follows from it (Article 15(1)(h) GDPR)")
			}
		}
		for j, b := range u.LegalBases {
			if !known(bases, b.Basis) {
				r.fault(at.key("legal_bases").item(j, "").key("basis"), "%q is not a legal basis; use one of %s", b.Basis, join(bases))
			}
			if b.Basis == LegitimateInterests && b.Interest == "" {
				r.fault(at.key("legal_bases").item(j, ""), "say which interest is pursued (Article 13(1)(d) GDPR): interest: …")
			}
		}
	}
}

// unique checks a name and that it is used once.
func unique(r *reporter, at place, seen map[string]bool, name string) {
	if checkName(r, at, name) && seen[name] {
		r.fault(at, "%q is there twice; names must differ", name)
	}
	seen[name] = true
}

// checkPurposes checks references into the purpose register.
func (p *Policy) checkPurposes(r *reporter, at place, ids []string) {
	for i, id := range ids {
		if !slices.ContainsFunc(p.Purposes, func(u Purpose) bool { return u.ID == id }) {
			r.fault(at.item(i, id), "there is no purpose %q in the register; add it under purposes, or use one that is there", id)
		}
	}
}

// checkField checks a reference to a category's field.
func (p *Policy) checkField(r *reporter, at place, field string) {
	parts := fieldPattern.FindStringSubmatch(field)
	if parts == nil {
		r.fault(at, "%q is not a field; write category.field, such as technical.ip_address", field)
		return
	}
	if _, ok := p.FieldDescription(field); !ok {
		r.fault(at, "the categories have no field %q; describe it there, because what the policy does not tell people may not be held", field)
	}
}

// FieldDescription returns the policy's words for a category.field reference.
func (p *Policy) FieldDescription(field string) (string, bool) {
	category, name, _ := strings.Cut(field, ".")
	for _, c := range p.Categories {
		if c.ID == category {
			words, ok := c.Fields[name]
			return words, ok
		}
	}
	return "", false
}

// FieldClause returns the clause that the category of a field such as
// technical.ip_address is collected by, or "".
func (p *Policy) FieldClause(field string) string {
	category, _, _ := strings.Cut(field, ".")
	for _, c := range p.Categories {
		if c.ID == category {
			return c.Clause
		}
	}
	return ""
}

// checkTraining checks the rule for training content.
func (p *Policy) checkTraining(r *reporter) {
	t := p.Training
	if t == nil {
		return
	}
	at := place{path: "$"}.key("training")
	checkClause(r, at, t.Clause)
	p.checkField(r, at.key("field"), t.Field)
	p.checkPurposes(r, at.key("purposes"), t.Purposes)
	if len(t.Purposes) == 0 {
		r.fault(at.key("purposes"), "name the purposes that training serves: no purpose, no storage")
	}
	checkWindows(r, at, t.Retention, map[Trigger][]Action{
		PurposeCompleted: {Erase}, ConsentWithdrawn: {Erase}, ConsentAbsent: {Erase}, ChildUnconfirmed: {Erase}, Erasure: {Erase}, Uploaded: {Erase},
	})
	t.checkChildren(r, at)
	if s := t.Strays; s != nil {
		at := at.key("strays")
		if len(s.Buckets) == 0 {
			r.fault(at.key("buckets"), "name the buckets of the settings that hold training items and nothing else")
		}
		checkKeep(r, at, s.Keep, false)
		checkReason(r, at, s.Clause, s.Rationale)
		if s.MaxShare <= 0 || s.MaxShare > 1 {
			r.fault(at.key("max_share"), "give the share of a bucket's objects that may be deleted in a run, such as 0.01")
		}
	}
}

// checkChildren checks that children and the window of what shows them go together.
func (t *Training) checkChildren(r *reporter, at place) {
	_, window := t.Window(ChildUnconfirmed)
	if window != (t.Children != nil) {
		r.fault(at.key("children"), "say who is a child, and how long what shows one is kept without the consent it needs (trigger child_unconfirmed): both or neither")
	}
	if t.Children == nil {
		return
	}
	checkClause(r, at.key("children"), t.Children.Clause)
	if c := t.Children; c.Under < 1 || c.Under > 120 || c.OwnConsentOver < 0 || c.OwnConsentOver >= c.Under {
		r.fault(at.key("children").key("under"), "give ages in years, such as under: 18 and own_consent_over: 16")
	}
}

// checkWindows checks retention windows against the triggers that apply here,
// each with the actions it can have.
func checkWindows(r *reporter, at place, windows []Window, allowed map[Trigger][]Action) {
	if len(windows) == 0 {
		r.fault(at.key("retention"), "say how long this is kept: nothing is kept without a window")
	}
	seen := map[Trigger]bool{}
	for i, w := range windows {
		at := at.key("retention").item(i, string(w.Trigger))
		actions, ok := allowed[w.Trigger]
		switch {
		case !ok:
			r.fault(at.key("trigger"), "%q does not apply here; use one of %s", w.Trigger, join(sortedKeys(allowed)))
		case !slices.Contains(actions, w.Action):
			r.fault(at.key("action"), "%q does not go with %s; use %s", w.Action, w.Trigger, join(actions))
		case seen[w.Trigger]:
			r.fault(at.key("trigger"), "there are two windows from %s; keep one", w.Trigger)
		}
		seen[w.Trigger] = true
		fromWish := w.Trigger == ConsentWithdrawn || w.Trigger == PurposeCompleted || w.Trigger == Erasure
		checkKeep(r, at, w.Keep, fromWish || w.AtOnce)
		if w.AtOnce && !w.Keep.IsZero() {
			r.fault(at.key("at_once"), "at_once goes with keep: P0D alone; leave it out, as the window has a length")
		}
		checkReason(r, at, w.Clause, w.Rationale)
		if (w.Trigger == AccountClosed) != (w.Event != "") {
			r.fault(at.key("event"), "name the record that closes an account, and only for the trigger account_closed")
		}
		if len(w.Organisations) > 0 && w.Trigger != EventTime {
			r.fault(at.key("organisations"), "organisations can have windows of their own only from event_time")
		}
		if w.Late != "" && (w.Trigger != EventTime || !known(choices, w.Late)) {
			r.fault(at.key("late"), "say take or refuse, and only for the trigger event_time")
		}
	}
}

func sortedKeys[V any](m map[Trigger]V) []Trigger {
	keys := make([]Trigger, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
