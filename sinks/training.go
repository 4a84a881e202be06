package sinks

import (
	"context"
	"time"
)

// TrainingItem is an object that is used to train models, as the register has it.
type TrainingItem struct {
	Item        ID // random
	Bucket      string
	Key         string
	Derivatives []string // keys of what was made from it, in the same bucket; only from Items
	Bytes       uint64
	UploadedAt  time.Time
	Models      []string  // trained, since its upload, for a purpose that it serves; only from Items
	Rule        Rule      // why it is due
	Since       time.Time // when the event happened from which the rule's window runs
	MarkedAt    time.Time // as of when it was hidden; zero if it is not marked
	// Superseded says that a later registration of the same object has taken its place, and
	// what of it that leaves; only from Items. It is nil for the latest one.
	Superseded *Superseded
	Buried     bool // it has a tombstone; only from Items
}

// Superseded says what is not to go with a training item: a later registration speaks of
// the newest object under its key, and under the keys of what was made from both.
type Superseded struct {
	By     ID       // the latest registration
	Shared []string // those of the derivatives that later registrations or additions name, too
	// Withdrawn is when consent was withdrawn first; zero if it was not. What was there
	// before that is the earlier item's, even if it is the newest.
	Withdrawn time.Time
}

// TrainingCutoffs are, for each rule, the instant at or before which its event
// must have happened for an item to be due. A rule that is left out does not
// apply.
type TrainingCutoffs map[Rule]time.Time

// TrainingRules are the rules by which a training item can be due. If several apply
// the first counts: a person's wish before what the operator decided.
var TrainingRules = []Rule{RuleErasure, RuleConsentWithdrawn, RuleChildUnconfirmed, RuleConsentAbsent, RulePurposeCompleted, RuleUploaded}

// Restorable reports whether a person may take back that an item is due by the rule,
// because it rests on what the operator decided. Where it rests on consent, the
// consent has to be recorded instead.
func (r Rule) Restorable() bool { return r == RulePurposeCompleted || r == RuleUploaded }

// ItemPage says which training items of many are meant: those after a place in the
// order of buckets, keys and ids, and how many at most. The zero value means all.
type ItemPage struct {
	AfterBucket, AfterKey string
	AfterItem             ID
	Limit                 int // 0: no limit
}

// TrainingRegister holds what is known about training items. Its rows are made by
// ingest. All methods may be repeated.
type TrainingRegister interface {
	// DueItems returns a page of the items that are due at now, each by one rule, in the
	// order of their buckets and keys. An object that was registered more than once is
	// there as its latest registration says, and besides as an earlier one, if the consent
	// to that alone is gone.
	DueItems(ctx context.Context, now time.Time, cutoffs TrainingCutoffs, page ItemPage) ([]TrainingItem, error)
	// MarkDueItems hides those of them that are due by a rule, or by any if it is empty,
	// and not hidden yet, and counts those.
	MarkDueItems(ctx context.Context, now time.Time, cutoffs TrainingCutoffs, rule Rule) (uint64, error)
	// RestoreItems takes back, at now, that the items are marked, and that they are due
	// by a restorable rule for what has happened until now.
	RestoreItems(ctx context.Context, now time.Time, ids []ID) error
	// Items returns those of the given items that the register still has.
	Items(ctx context.Context, ids []ID) (map[ID]TrainingItem, error)
	// Tombstones returns those of the given items that have one.
	Tombstones(ctx context.Context, ids []ID) (map[ID]Tombstone, error)
	PutTombstones(ctx context.Context, stones []Tombstone) error
	// Forgettable counts the register's rows about items that have a tombstone, and
	// the consents of before a time for what it does not know; and returns an id of
	// that set.
	Forgettable(ctx context.Context, strays time.Time) (rows uint64, set ID, err error)
	// Forget deletes those rows and returns what is left of them.
	Forget(ctx context.Context, strays time.Time) (Absence, error)
}

// ItemHolds tells which training items are under legal hold (C16, I6).
type ItemHolds interface {
	// HeldItems returns those of the given items that are under hold at now.
	HeldItems(ctx context.Context, now time.Time, ids []ID) (map[ID]bool, error)
}

// SubjectCutoff says whose rows are due: the subjects whose event (the closing of
// the account, or the last activity) happened at or before Before.
type SubjectCutoff struct {
	Rule   Rule
	Before time.Time
	Event  string // the name of the record that closes an account
	// AsOf says which holds are in force: their rows are left out.
	AsOf time.Time
}

// SubjectRows counts the rows and people of a dataset that a cutoff takes.
type SubjectRows struct{ Rows, Subjects uint64 }

// SubjectTables delete the rows of subjects whose window has passed. Erase waits
// until the rows are physically gone and returns what is left.
type SubjectTables interface {
	DueSubjects(ctx context.Context, dataset string, c SubjectCutoff) (SubjectRows, error)
	EraseSubjects(ctx context.Context, dataset string, c SubjectCutoff) (SubjectRows, Absence, error)
}
