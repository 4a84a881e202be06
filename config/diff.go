package config

import (
	"fmt"
	"slices"
	"strings"
)

// Effect is what a change of the policy means for those whose data it is about.
type Effect string

// The effects.
const (
	Shorter Effect = "kept shorter"
	Longer  Effect = "kept longer"
	More    Effect = "more is done with it"
	Less    Effect = "less is done with it"
	Other   Effect = "changed"
)

// Change is one difference between two versions of a policy, in words.
type Change struct {
	Concerns string  `json:"concerns"` // a dataset, or what else of the policy
	Effect   Effect  `json:"effect"`
	Words    string  `json:"words"`
	Dataset  string  `json:"dataset,omitempty"` // of the policy
	Trigger  Trigger `json:"trigger,omitempty"` // of a window
}

// Diff says what changes between two versions of a policy.
func Diff(before, after *Policy) []Change {
	d := &difference{}
	d.windows("training", "", windowsOf(before.Training), windowsOf(after.Training))
	d.period("quarantine", "unreadable records", before.Quarantine.Keep, after.Quarantine.Keep)
	d.purposes(before, after)
	for i := range after.Datasets {
		now := &after.Datasets[i]
		was, known := before.Dataset(now.Name)
		if !known {
			d.add(now.Name, More, "is new: %s, for %s", now.Description, strings.Join(now.Purposes, ", "))
			continue
		}
		d.dataset(was, now)
	}
	for i := range before.Datasets {
		if name := before.Datasets[i].Name; !slices.ContainsFunc(after.Datasets, func(s Dataset) bool { return s.Name == name }) {
			d.add(name, Less, "is held no more: move its table away, or erase it before this version takes effect")
		}
	}
	d.lists("regions", before.Regions.Allowed, after.Regions.Allowed, "data may lie in")
	d.lists("regions", before.Regions.Safeguards, after.Regions.Safeguards, "data may lie elsewhere under")
	d.lists("recipients", recipientIDs(before), recipientIDs(after), "data may be disclosed to")
	d.requests(before.RequestRule(), after.RequestRule())
	return d.changes
}

type difference struct{ changes []Change }

func (d *difference) add(concerns string, e Effect, format string, args ...any) {
	d.changes = append(d.changes, Change{Concerns: concerns, Effect: e, Words: fmt.Sprintf(format, args...)})
}

func windowsOf(t *Training) []Window {
	if t == nil {
		return nil
	}
	return t.Retention
}

func recipientIDs(p *Policy) (ids []string) {
	for _, r := range p.Recipients {
		ids = append(ids, r.ID)
	}
	return ids
}

// period compares two periods by their effect.
func (d *difference) period(concerns, what string, was, now Period) {
	switch {
	case was.String() == now.String():
	case shorter(now, was):
		d.add(concerns, Shorter, "%s: %s, and not %s", what, now, was)
	case shorter(was, now):
		d.add(concerns, Longer, "%s: %s, and not %s", what, now, was)
	}
}

// windows compares the windows of a dataset by their triggers.
func (d *difference) windows(concerns, dataset string, before, after []Window) {
	for i := range after {
		now := &after[i]
		what := "from " + strings.ReplaceAll(string(now.Trigger), "_", " ")
		was, known := findWindow(before, now.Trigger)
		first := len(d.changes)
		if !known {
			d.add(concerns, Shorter, "a window is new, %s: %s", what, now.Keep)
		} else {
			d.period(concerns, what, was.Keep, now.Keep)
			if was.Action != now.Action {
				effect := Less
				if now.Action == Anonymise {
					effect = More
				}
				d.add(concerns, effect, "%s: then to %s, and not to %s", what, now.Action, was.Action)
			}
			d.organisations(concerns, what, was, now)
		}
		for n := first; n < len(d.changes); n++ {
			d.changes[n].Dataset, d.changes[n].Trigger = dataset, now.Trigger
		}
	}
	for _, was := range before {
		if _, kept := findWindow(after, was.Trigger); !kept {
			d.add(concerns, Longer, "the window from %s (%s) is gone", strings.ReplaceAll(string(was.Trigger), "_", " "), was.Keep)
		}
	}
}

// organisations compares the windows that organisations have of their own; without one
// the common window applies.
func (d *difference) organisations(concerns, what string, was, now *Window) {
	names := append(organisationsOf(was), organisationsOf(now)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		before, after := keepOf(was, name), keepOf(now, name)
		if before.String() != after.String() && (before.String() != was.Keep.String() || after.String() != now.Keep.String()) {
			d.period(concerns, fmt.Sprintf("%s, for the organisation %s", what, name), before, after)
		}
	}
}

func organisationsOf(w *Window) (names []string) {
	for _, o := range w.Organisations {
		names = append(names, o.Names...)
	}
	return names
}

func keepOf(w *Window, organisation string) Period {
	for _, o := range w.Organisations {
		if slices.Contains(o.Names, organisation) {
			return o.Keep
		}
	}
	return w.Keep
}

// dataset compares one dataset.
func (d *difference) dataset(was, now *Dataset) {
	d.windows(now.Name, now.Name, was.Retention, now.Retention)
	d.lists(now.Name, was.Purposes, now.Purposes, "is used for")
	for i := range now.Columns {
		c := &now.Columns[i]
		before, known := was.Column(c.Name)
		switch {
		case !known:
			d.add(now.Name, More, "the column %s is new: %s, identifies %s", c.Name, c.Field, c.Identifies)
		case before.Derive != c.Derive:
			d.add(now.Name, Other, "the column %s is derived otherwise (%s)", c.Name, c.Derive)
		case before.Expires == nil && c.Expires != nil:
			d.add(now.Name, Shorter, "the values of the column %s are kept %s, and not as long as the records", c.Name, c.Expires.Keep)
		case before.Expires != nil && c.Expires == nil:
			d.add(now.Name, Longer, "the values of the column %s are kept as long as the records, and not %s", c.Name, before.Expires.Keep)
		case c.Expires != nil && c.Expires.Keep != before.Expires.Keep:
			d.period(now.Name, "the values of the column "+c.Name, before.Expires.Keep, c.Expires.Keep)
		default:
			d.lists(now.Name, was.PurposesOf(before), now.PurposesOf(c), "the column "+c.Name+" is used for")
		}
	}
	for _, c := range was.Columns {
		if _, kept := now.Column(c.Name); !kept {
			d.add(now.Name, Less, "the column %s is held no more", c.Name)
		}
	}
	d.publication(now.Name, was.Publish, now.Publish)
}

// lists compares two lists of words; what is a common change of a dataset's columns is
// told once.
func (d *difference) lists(concerns string, before, after []string, words string) {
	for _, s := range after {
		if !slices.Contains(before, s) {
			d.once(concerns, More, fmt.Sprintf("%s %s", words, s))
		}
	}
	for _, s := range before {
		if !slices.Contains(after, s) {
			d.once(concerns, Less, fmt.Sprintf("%s %s no more", words, s))
		}
	}
}

func (d *difference) once(concerns string, e Effect, words string) {
	c := Change{Concerns: concerns, Effect: e, Words: words}
	if !slices.Contains(d.changes, c) {
		d.changes = append(d.changes, c)
	}
}

// purposes compares the registers of purposes.
func (d *difference) purposes(before, after *Policy) {
	find := func(p *Policy, id string) *Purpose {
		i := slices.IndexFunc(p.Purposes, func(u Purpose) bool { return u.ID == id })
		if i < 0 {
			return nil
		}
		return &p.Purposes[i]
	}
	for i := range after.Purposes {
		now := &after.Purposes[i]
		was := find(before, now.ID)
		if was == nil {
			d.add("purposes", More, "%s is new: %s", now.ID, now.Description)
			continue
		}
		d.lists("purposes", basisNames(was), basisNames(now), now.ID+" rests on")
		switch {
		case was.Consent == "" && now.Consent != "":
			d.add("purposes", Less, "%s needs consent (%s)", now.ID, now.Consent)
		case was.Consent != "" && now.Consent == "":
			d.add("purposes", More, "%s needs consent no more (%s)", now.ID, was.Consent)
		}
		switch {
		case was.Automated == nil && now.Automated != nil:
			d.add("purposes", More, "%s judges people by machines: %s", now.ID, now.Automated.Logic)
		case was.Automated != nil && now.Automated == nil:
			d.add("purposes", Less, "%s judges people by machines no more", now.ID)
		}
	}
	for _, was := range before.Purposes {
		if find(after, was.ID) == nil {
			d.add("purposes", Less, "%s is pursued no more", was.ID)
		}
	}
}

func basisNames(u *Purpose) (names []string) {
	for _, b := range u.LegalBases {
		names = append(names, string(b.Basis))
	}
	return names
}

// requests compares the times for answers.
func (d *difference) requests(was, now RequestRule) {
	if was.WorkingDays != now.WorkingDays || was.Within.String() != now.Within.String() {
		d.add("requests", Other, "are answered within %s, and not %s", now.words(), was.words())
	}
	d.period("requests", "copies for people", was.Exports, now.Exports)
}

func (r RequestRule) words() string {
	if r.WorkingDays > 0 {
		return fmt.Sprintf("%d working days", r.WorkingDays)
	}
	return r.Within.String()
}
