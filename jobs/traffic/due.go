package traffic

import (
	"slices"
	"time"
)

// Training is the truth about the training images: what there is, who decided
// what about it, and when each purpose was accomplished.
type Training struct {
	Items []Item // in order of upload

	// Completions holds when each completed purpose was; a purpose that is not
	// in it never was.
	Completions map[string]time.Time

	// Decisions are the consents given and withdrawn after upload, in ascending
	// order. Nothing is uploaded under a withdrawal: after an organisation's or a
	// person's there is no further item of theirs.
	Decisions []Decision
}

// Item is one image with its derivatives. Keys are those in the bucket.
type Item struct {
	Key          string
	Derivatives  []string
	Organisation string
	Subjects     []string // user ids; may be empty
	Purposes     []string // 1 to 3
	Uploaded     time.Time
	Consent      bool // given with the upload; false where it is refused or not mentioned
	Bytes        int  // of the image itself
}

// Decision is a consent granted or withdrawn for one Key, or for all items of
// one Subject or one Organisation; the other two are empty.
type Decision struct {
	At                         time.Time
	Granted                    bool
	Key, Subject, Organisation string
}

// Rule is a reason for which a training item must be purged.
type Rule string

// The rules by which an item is due.
const (
	// PurposeCompleted: all purposes of the item are completed.
	PurposeCompleted Rule = "purpose_completed"
	// ConsentWithdrawn: the latest decision that applies to the item, of which
	// consent at upload is the first, is a withdrawal.
	ConsentWithdrawn Rule = "consent_withdrawn"
	// ConsentAbsent: nobody ever consented, and the grace after upload is over.
	ConsentAbsent Rule = "consent_absent"
)

// Due is an item that must be purged, with all rules that ask for it.
type Due struct {
	Item  *Item
	Rules []Rule
}

// DueAt returns the items that must be absent at the instant at, in order of
// upload, whatever has been purged before. What happens at that very instant
// has happened, and a grace that ends then has ended.
func (t *Training) DueAt(at time.Time, grace time.Duration) []Due {
	decided := t.decisionsBySubject(at)
	var all []Due
	for i := range t.Items {
		item := &t.Items[i]
		if item.Uploaded.After(at) {
			break
		}
		if rules := t.rules(item, decided.about(item), at, grace); len(rules) > 0 {
			all = append(all, Due{item, rules})
		}
	}
	return all
}

// CountDue returns how many items are due at an instant by each rule, and how
// many objects of the bucket they and their derivatives are. An item counts
// under each of its rules.
func (t *Training) CountDue(at time.Time, grace time.Duration) (items, objects int, byRule map[Rule]int) {
	byRule = map[Rule]int{}
	for _, due := range t.DueAt(at, grace) {
		items++
		objects += 1 + len(due.Item.Derivatives)
		for _, rule := range due.Rules {
			byRule[rule]++
		}
	}
	return items, objects, byRule
}

func (t *Training) rules(item *Item, decisions []Decision, at time.Time, grace time.Duration) []Rule {
	var rules []Rule
	if t.completed(item, at) {
		rules = append(rules, PurposeCompleted)
	}
	granted, withdrawn := item.Consent, false
	for _, d := range decisions {
		granted = granted || d.Granted
		withdrawn = !d.Granted
	}
	if withdrawn {
		rules = append(rules, ConsentWithdrawn)
	}
	if !granted && !item.Uploaded.Add(grace).After(at) {
		rules = append(rules, ConsentAbsent)
	}
	return rules
}

func (t *Training) completed(item *Item, at time.Time) bool {
	for _, purpose := range item.Purposes {
		if done, ok := t.Completions[purpose]; !ok || done.After(at) {
			return false
		}
	}
	return true
}

// decisions holds those made until an instant by what they are about.
type decisions map[string][]Decision

func (t *Training) decisionsBySubject(at time.Time) decisions {
	by := decisions{}
	for _, d := range t.Decisions {
		if !d.At.After(at) {
			about := d.Key + d.Subject + d.Organisation
			by[about] = append(by[about], d)
		}
	}
	return by
}

// about returns the decisions that apply to an item and were made after its
// upload, in ascending order.
func (by decisions) about(item *Item) []Decision {
	all := slices.Concat(by[item.Key], by[item.Organisation])
	for _, subject := range item.Subjects {
		all = append(all, by[subject]...)
	}
	all = slices.DeleteFunc(all, func(d Decision) bool { return d.At.Before(item.Uploaded) })
	slices.SortStableFunc(all, func(a, b Decision) int { return a.At.Compare(b.At) })
	return all
}
