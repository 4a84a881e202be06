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
	Raw       string // cut at MaxRaw bytes
	Envelope  string // the batch that it stood in, without its records; empty if it stood in none
	Seed      ID     // of its source; see decode.Origin
	Dated     bool   // whether its time could be read
	Day       Day    // of the event, UTC, if Dated
}

// MaxRaw is how much of a record that cannot be read is kept, in bytes.
const MaxRaw = 64 << 10

// QuarantineSelection says which records are meant: all, or those that meet whatever
// is set.
type QuarantineSelection struct {
	Record ID
	Reason string
	Before time.Time // those first seen before then
}

// Quarantine holds the records that could not be read.
type Quarantine interface {
	// QuarantineGroups counts them by reason, the most frequent first.
	QuarantineGroups(ctx context.Context) ([]QuarantineGroup, error)
	// QuarantinedRecords calls each with up to limit of those that are selected, the
	// oldest first.
	QuarantinedRecords(ctx context.Context, which QuarantineSelection, limit int, each func(QuarantinedRecord) error) error
	// RemoveQuarantined deletes those that are selected, waits until they are physically
	// gone, and returns how many there were and what is left of them. Those under a legal
	// hold that is in force at asOf stay.
	RemoveQuarantined(ctx context.Context, which QuarantineSelection, asOf time.Time) (uint64, Absence, error)
	// CountQuarantined counts those that RemoveQuarantined would delete, and their bytes.
	CountQuarantined(ctx context.Context, which QuarantineSelection, asOf time.Time) (records, bytes uint64, err error)
}

// QuarantinedSource is an input file of which records are set aside.
type QuarantinedSource struct {
	Source
	Records   uint64
	RawBytes  uint64
	FirstSeen time.Time
}

// ReplayFate is what became of a record that was set aside, when it was read again.
type ReplayFate string

// The fates.
const (
	ReplayStored    ReplayFate = "stored"
	ReplayRefused   ReplayFate = "refused"
	ReplayDuplicate ReplayFate = "duplicate"
)

// Replayed is a record that was set aside and is not any more. It moves, in the account
// of its source, from those that are quarantined to the others.
type Replayed struct {
	Position  uint64 // in its source
	Fate      ReplayFate
	FromDated bool // what it was counted under when it was set aside
	FromDay   Day
	Dated     bool // and is now
	Day       Day
}

// QuarantineReplay is what reading quarantined records again needs. Each source is
// read by one replay at a time.
type QuarantineReplay interface {
	// QuarantinedSources lists the sources of records that can be read again and are not
	// under a legal hold in force at asOf, with how many they are, and those whose replay
	// was interrupted.
	QuarantinedSources(ctx context.Context, which QuarantineSelection, asOf time.Time) ([]QuarantinedSource, error)
	// ReplayableRecords calls each with such records of a source, in the order of their
	// positions from one on, at most limit of them, until it returns false.
	ReplayableRecords(ctx context.Context, source ID, which QuarantineSelection, asOf time.Time, from uint64, limit int, each func(QuarantinedRecord) (more bool, err error)) error
	// BeginReplay and EndReplay enclose the time in which rows of a source may be stored
	// that RecordReplayed has not been told of. Meanwhile no partition with rows of the
	// source is complete.
	BeginReplay(ctx context.Context, source ID) error
	EndReplay(ctx context.Context, source ID) error
	// RecordReplayed notes what became of records; doing so again has no effect. From
	// then on the account of the source says so.
	RecordReplayed(ctx context.Context, source, run ID, records []Replayed) error
	// RemoveReplayed deletes the records of the sources that were replayed from the
	// quarantine, waits until they are physically gone, and returns what is left of them.
	// Those that have come under a legal hold stay until their window has passed.
	RemoveReplayed(ctx context.Context, sources []ID, asOf time.Time) (Absence, error)
}
