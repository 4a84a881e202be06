package sinks

import "context"

// DatasetStatus is what there is of one dataset.
type DatasetStatus struct {
	Dataset    string `json:"dataset"`
	Personal   uint64 `json:"personal"` // rows
	First      Day    `json:"first"`    // days of the oldest and the newest personal row
	Last       Day    `json:"last"`
	Published  uint64 `json:"published"`  // anonymised rows
	Suppressed uint64 `json:"suppressed"` // rows that fitted no class, ever
	Partitions uint64 `json:"partitions"` // published ones, ever
	Smallest   uint64 `json:"smallest"`   // people in the smallest class ever published
	// Of all publications: classes, rows at a coarser level than the first, and the share
	// of the detail that was lost, by rows.
	Classes     uint64  `json:"classes"`
	Generalised uint64  `json:"generalised"`
	Loss        float64 `json:"loss"`
}

// Add adds what there is of the dataset on another node.
func (s *DatasetStatus) Add(other DatasetStatus) {
	if other.Personal > 0 && (s.Personal == 0 || other.First < s.First) {
		s.First = other.First
	}
	s.Last = max(s.Last, other.Last)
	if other.Smallest > 0 && (s.Smallest == 0 || other.Smallest < s.Smallest) {
		s.Smallest = other.Smallest
	}
	if rows, more := float64(s.Published+s.Suppressed), float64(other.Published+other.Suppressed); rows+more > 0 {
		s.Loss = (s.Loss*rows + other.Loss*more) / (rows + more)
	}
	s.Personal, s.Published, s.Suppressed = s.Personal+other.Personal, s.Published+other.Published, s.Suppressed+other.Suppressed
	s.Partitions, s.Classes, s.Generalised = s.Partitions+other.Partitions, s.Classes+other.Classes, s.Generalised+other.Generalised
}

// Status is what there is in the tables.
type Status struct {
	Datasets    []DatasetStatus `json:"datasets"`
	Sources     uint64          `json:"sources"`    // input files ingested
	Unfinished  uint64          `json:"unfinished"` // input files whose ingest was interrupted
	Quarantined uint64          `json:"quarantined"`
	Items       uint64          `json:"items"`  // training items in the register
	Purged      uint64          `json:"purged"` // tombstones
}

// Overview tells what there is.
type Overview interface {
	Status(ctx context.Context) (*Status, error)
	// Account adds up the accounts of all input files that were ever ingested.
	Account(ctx context.Context) (SourceDay, error)
}

// Room is what a piece of work takes of the store's disk for a while, and what is free
// there, both in bytes.
type Room struct {
	Needed, Free uint64
	Known        bool // the store says how much is free
}

// Enough reports whether nothing speaks against the work.
func (r Room) Enough() bool { return !r.Known || r.Free >= r.Needed }
