package sinks

import (
	"context"
	"time"
)

// Decision is what is known of somebody's choice about a category of purposes.
type Decision uint8

// The decisions.
const (
	Undecided Decision = iota
	Granted
	Denied
)

// Candidate is a record that has been read and not stored yet, as a Gate sees it.
// What it refers to is valid until Admit returns.
type Candidate struct {
	Dataset string
	// Identifiers are the texts of the dataset's subject columns, in the policy's
	// order and as the record has them, before any of them becomes a pseudonym. A
	// text that the record does not have is empty.
	Identifiers [][]byte
	// Organisation is the text of the dataset's organisation column; empty if the record
	// or the dataset has none.
	Organisation []byte
	// At is the record's event time, UTC, and not later than the time of reading.
	At time.Time
	// Decisions are those of the record itself, in the order of
	// Policy.ConsentCategories. Admit may change them, for example because the person
	// has decided otherwise later.
	Decisions []Decision
	// Objected is set by Admit if it refuses the record because the person has objected
	// to its processing.
	Objected bool
}

// Gate looks at every record before it is stored, by what is known of the person:
// erasures, consents, restrictions. Admit is called by one goroutine at a time, a
// million times a file, so it may not wait for a store.
type Gate interface {
	// Admit reports whether the record may be held; if not, it is refused as one of
	// an erased person or organisation and leaves nothing behind.
	Admit(c *Candidate) bool
	// Learn takes over what has been decided meanwhile. It is called before each group
	// of records.
	Learn(ctx context.Context) error
	// Settle makes durable what the records of a group said. It is called before they
	// are stored, which they may be only if it succeeds.
	Settle(ctx context.Context) error
}
