package sinks

import (
	"context"
	"time"
)

// Disclosure is that data were given to somebody (C11), or somewhere (C10).
type Disclosure struct {
	ID         ID        `json:"disclosure"` // random
	Dataset    string    `json:"dataset"`
	Personal   bool      `json:"personal"`  // else it was the anonymised table
	Recipient  string    `json:"recipient"` // class of recipients, as the policy names it
	Region     string    `json:"region"`    // where the data went, in the policy's words
	Safeguard  string    `json:"safeguard,omitempty"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	Rows       uint64    `json:"rows"`
	From       time.Time `json:"events_from,omitzero"` // event times; To is not included
	To         time.Time `json:"events_to,omitzero"`
	Disclosed  time.Time `json:"disclosed"`
	PolicyHash Digest    `json:"policy_hash"`
}

// DisclosureRegister remembers disclosures. Recording the same again has no effect.
type DisclosureRegister interface {
	RecordDisclosure(ctx context.Context, d Disclosure) error
	// Disclosures returns all, the latest first.
	Disclosures(ctx context.Context) ([]Disclosure, error)
}

// TableExport reads a whole dataset, row by row.
type TableExport interface {
	// ExportColumns returns the names of the columns that EachRow gives.
	ExportColumns(dataset string, personal bool) ([]string, error)
	// EachRow calls each with the rows of days from first to last, as texts that are
	// valid until each returns. Of personal rows those of people who have asked for
	// restriction are left out.
	EachRow(ctx context.Context, dataset string, personal bool, first, last Day, format RowFormat, each func(string) error) error
}
