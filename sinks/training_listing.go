package sinks

import (
	"context"
	"time"
)

// TrainingState is what has become of a training item.
type TrainingState string

// The states.
const (
	TrainingActive TrainingState = "active" // may be trained on
	// TrainingRestricted may not: somebody to be seen has asked that what is held of them
	// is kept and not used (Article 18 GDPR).
	TrainingRestricted TrainingState = "restricted"
	TrainingDue        TrainingState = "due"    // may not; the next purge marks it
	TrainingMarked     TrainingState = "marked" // hidden; deleted when the grace has passed
	TrainingPurged     TrainingState = "purged" // only a tombstone is left
)

// TrainingStates are all states.
var TrainingStates = []TrainingState{TrainingActive, TrainingRestricted, TrainingDue, TrainingMarked, TrainingPurged}

// TrainingEntry is an item as people are shown it. Of a purged one there are only the
// first fields, up to Rule, its times and sizes.
type TrainingEntry struct {
	Item             ID            `json:"item"`
	State            TrainingState `json:"state"`
	Bucket           string        `json:"bucket,omitempty"`
	Key              string        `json:"key,omitempty"`
	Organisation     string        `json:"organisation,omitempty"`
	MediaType        string        `json:"media_type,omitempty"`
	Bytes            uint64        `json:"bytes"`
	Uploaded         time.Time     `json:"uploaded"`
	Purposes         []string      `json:"purposes,omitempty"`
	Open             []string      `json:"open_purposes,omitempty"` // of these, the ones that are not complete
	Subjects         []string      `json:"subjects,omitempty"`
	ConsentReference string        `json:"consent_reference,omitempty"`
	Age              *uint8        `json:"age,omitempty"`
	Derivatives      []string      `json:"derivatives,omitempty"`
	Rule             Rule          `json:"rule,omitempty"`    // why it is due, or was purged
	Since            time.Time     `json:"since,omitzero"`    // when the rule's window began to run
	Marked           time.Time     `json:"marked,omitzero"`   // as of when it was hidden
	Purged           time.Time     `json:"purged,omitzero"`   // when it was deleted
	Objects          uint64        `json:"objects,omitempty"` // of a purged one
	Object           Digest        `json:"object,omitzero"`   // of a purged one: ObjectDigest
	Models           []string      `json:"models,omitempty"`  // trained on it; of a purged one
}

// TrainingFilter selects items; a field that is empty selects all.
type TrainingFilter struct {
	Item         ID
	Bucket, Key  string
	Organisation string
	Purpose      string
	State        TrainingState
}

// TrainingNote is a row of the register about an item: its registration, or an event
// that concerns it.
type TrainingNote struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"`            // kind of the note, with the decision of a consent
	By      string    `json:"by,omitempty"`    // who consented, or by which rule it was marked
	About   string    `json:"about,omitempty"` // how it concerns the item: item, subject, organisation, reference, purpose
	Purpose string    `json:"purpose,omitempty"`
	Model   string    `json:"model,omitempty"`
}

// Withdrawal says that an item may be used no more.
type Withdrawal struct {
	Item ID        `json:"item"`
	At   time.Time `json:"at"` // when it was hidden or, if it is gone, deleted
	Rule Rule      `json:"rule"`
	Gone bool      `json:"gone"` // whether it has been deleted
}

// TrainingListing shows the register to people and programs, row by row.
type TrainingListing interface {
	// EachItem calls each for the selected items, those of the register by bucket and
	// key, then the purged ones, the latest last, until it returns an error.
	EachItem(ctx context.Context, now time.Time, cutoffs TrainingCutoffs, f TrainingFilter, each func(TrainingEntry) error) error
	// Notes returns what the register says about an item, the oldest first.
	Notes(ctx context.Context, id ID, now time.Time) ([]TrainingNote, error)
	// EachWithdrawn calls each for the items that were hidden at or after since and still
	// are, and for those that were purged, in the order of their times.
	EachWithdrawn(ctx context.Context, since, now time.Time, cutoffs TrainingCutoffs, each func(Withdrawal) error) error
}
