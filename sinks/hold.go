package sinks

import (
	"context"
	"time"
)

// Hold is a legal hold: what it names may not be published or deleted while it is in
// force (C16, I6). Every restriction that it has must be met; one without any holds
// everything.
type Hold struct {
	ID      ID     `json:"id"`                // random
	Dataset string `json:"dataset,omitempty"` // of the policy, or "quarantine", or "training"; empty: all
	// BySubject and ByOrganisation say that it names one. Which, only keyed hashes tell.
	BySubject      bool      `json:"by_subject"`
	ByOrganisation bool      `json:"by_organisation"`
	From           time.Time `json:"from,omitzero"` // event times it begins and ends with, From included
	To             time.Time `json:"to,omitzero"`
	Reason         string    `json:"reason"`
	PlacedBy       string    `json:"placed_by"`
	PlacedAt       time.Time `json:"placed_at"`
	Until          time.Time `json:"until,omitzero"` // when it ends by itself; zero: not before it is released
	ReleasedBy     string    `json:"released_by,omitempty"`
	ReleasedAt     time.Time `json:"released_at,omitzero"`
}

// RestrictionReason begins the reason of a hold that a person's request for restriction
// has placed (Article 18 GDPR); the request's id follows. What is restricted is kept as
// under any other hold, and is no more used to train models.
const RestrictionReason = "restriction "

// InForce reports whether the hold has neither ended nor been released at a time.
func (h *Hold) InForce(at time.Time) bool {
	return h.ReleasedAt.IsZero() && (h.Until.IsZero() || at.Before(h.Until))
}

// HoldRegister remembers legal holds. Identifiers are kept as keyed hashes, and travel
// beside the text of statements.
type HoldRegister interface {
	// PlaceHold stores a hold on what one subject or organisation, or both, have there;
	// empty texts name none. Placing the same hold again has no effect.
	PlaceHold(ctx context.Context, h Hold, subject, organisation string) error
	// ReleaseHold ends a hold. Releasing one again has no effect.
	ReleaseHold(ctx context.Context, id ID, by string, at time.Time) error
	// Holds returns all holds that there ever were, the latest first.
	Holds(ctx context.Context) ([]Hold, error)
}

// HoldCheck says what else is under a hold that is in force at a time: for those who
// delete what is not a row of a dataset, or whole people.
type HoldCheck interface {
	// HeldItems returns those of the training items that are held: because of a person
	// in them, of the organisation that uploaded them, or of the time of the upload.
	HeldItems(ctx context.Context, asOf time.Time, items []ID) (map[ID]bool, error)
	// HeldSubjects returns those of the subjects of whom anything in any dataset, or
	// everything everywhere, may be held: whoever erases rows of theirs has to leave out
	// those that are.
	HeldSubjects(ctx context.Context, asOf time.Time, subjects []string) (map[string]bool, error)
}

// Exemption says which rows of a dataset may not be touched although others of their
// day are due: those under a hold, and those of organisations with another window.
type Exemption struct {
	AsOf time.Time // whose holds are in force
	// Before is the first day whose rows are not due.
	Before Day
	// Organisations have a day of their own in place of Before.
	Organisations map[string]Day
}

// Exempt counts the rows of a partition by whether they may be touched.
type Exempt struct {
	Held  uint64 // under a hold
	Later uint64 // of organisations whose window has not passed
	// Moved are rows that an interrupted separation has stored a second time.
	Moved uint64
	// Due are the rest, by the first day that is kept: since one of these they are due.
	Due map[Day]uint64
}

// Stays returns how many rows may not be touched.
func (e Exempt) Stays() uint64 { return e.Held + e.Later + e.Moved }

// MixedDays separate the rows of a day that are due from those that are not. All
// methods may be repeated and run beside themselves.
type MixedDays interface {
	// Exempt looks at partitions; those of which all rows are due as of the exemption's
	// day, and by no other, may be missing from the result.
	Exempt(ctx context.Context, dataset string, partitions []Partition, e Exemption) (map[Partition]Exempt, error)
	// Separate moves the exempt rows of partitions into the next partition of their
	// days; see Partition.Next. Both are rewritten as one part, counted, exchanged, and
	// counted again; an error that is ErrVerification says that they are not what they
	// should be. The partitions must have been sealed.
	Separate(ctx context.Context, dataset string, partitions []Partition, e Exemption) error
}
