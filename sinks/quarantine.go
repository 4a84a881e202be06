package sinks

import (
	"context"
	"time"
)

// QuarantineGroup is how many records were set aside for one reason.
type QuarantineGroup struct {
	Reason  string    `json:"reason"`
	Field   string    `json:"field,omitempty"` // the column whose value had the wrong type
	Format  string    `json:"format"`          // of the input files
	Records uint64    `json:"records"`
	Sources uint64    `json:"sources"` // input files
	First   time.Time `json:"first_seen"`
	Last    time.Time `json:"last_seen"`
}

// QuarantinedRecord is a record that could not be read. Its content may hold
// anything.
type QuarantinedRecord struct {
	ID        ID
	Reason    string
	Field     string
	Origin    RowOrigin
	FirstSeen time.Time
	Raw       string // cut at 64 KiB
}

// Quarantine holds the records that could not be read.
type Quarantine interface {
	// QuarantineGroups counts them by reason, the most frequent first.
	QuarantineGroups(ctx context.Context) ([]QuarantineGroup, error)
	// QuarantinedRecords calls each with records, the oldest first: the one with an id,
	// or up to limit of those with a reason, of any if it is empty.
	QuarantinedRecords(ctx context.Context, id ID, reason string, limit int, each func(QuarantinedRecord) error) error
}
