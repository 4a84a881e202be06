package sinks

import (
	"context"
	"time"
)

// SubjectKey stands for one identifier of a person where it must be found again and
// must not be read: the first 128 bits of an HMAC-SHA-256 (RFC 2104) over the name of
// the identifier's column, a zero byte and the identifier, under a ledger's own key.
type SubjectKey [16]byte

// ConsentOrigin says where a decision was made.
type ConsentOrigin string

// The origins.
const (
	ConsentInRecord   ConsentOrigin = "record"   // a record carried it
	ConsentByOperator ConsentOrigin = "operator" // somebody entered it
)

// ConsentDecision is what a person has decided about a category of purposes, once.
type ConsentDecision struct {
	Subject    SubjectKey
	Category   string
	Granted    bool
	At         time.Time // of the decision, UTC, to the millisecond
	Origin     ConsentOrigin
	RecordedAt time.Time // set by the ledger
}

// ConsentLedger holds all decisions about consent, with their history. Recording the
// same again has no effect.
type ConsentLedger interface {
	RecordConsents(ctx context.Context, decisions []ConsentDecision) error
	// LatestConsents calls each with the latest decision of every subject about every
	// category, of those that were recorded at or after a time. Of two at the same
	// instant the refusal is the later.
	LatestConsents(ctx context.Context, since time.Time, each func(ConsentDecision)) error
	// ConsentsOf returns what subjects have decided, the earliest first.
	ConsentsOf(ctx context.Context, subjects []SubjectKey) ([]ConsentDecision, error)
}

// ConsentRetention forgets decisions that hold no more: those in whose place a later one
// came before a time, and consents that were given before it by people of whom nothing is
// held any more. A refusal is kept for as long as it holds. While a legal hold is in
// force that names neither people nor an organisation nor a dataset, all are kept.
type ConsentRetention interface {
	// ExpiredConsents counts them, and returns an id of that set. The key is the ledger's:
	// it tells who is held.
	ExpiredConsents(ctx context.Context, before, now time.Time, key LedgerKey) (decisions uint64, set ID, err error)
	// ForgetConsents deletes them and returns what is left of them.
	ForgetConsents(ctx context.Context, before, now time.Time, key LedgerKey) (decisions uint64, left Absence, err error)
}

// Erasure says that a person was erased: no record of theirs up to a time may be
// stored, however late it comes.
type Erasure struct {
	Subject    SubjectKey
	Until      time.Time // of the last event that belongs to the erased person, UTC
	Request    ID
	RecordedAt time.Time // set by the ledger
}

// ErasureLedger remembers who was erased. Recording the same again has no effect.
type ErasureLedger interface {
	RecordErasures(ctx context.Context, erasures []Erasure) error
	// Erasures calls each with the erasures recorded at or after a time.
	Erasures(ctx context.Context, since time.Time, each func(Erasure)) error
	// ErasuresOf returns the erasures of subjects.
	ErasuresOf(ctx context.Context, subjects []SubjectKey) ([]Erasure, error)
}
