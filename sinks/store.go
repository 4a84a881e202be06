package sinks

import (
	"context"
	"time"
)

// RowOrigin says where a stored row came from: the source (the first 64 bits of
// its content's digest) and the byte offset of the record in it.
type RowOrigin struct {
	Source   uint64
	Position uint64
}

// Names under which an Intake takes records that are no dataset's of the policy:
// those that could not be read, and what the training register is made from.
const (
	QuarantineDataset = "quarantine"
	TrainingDataset   = "training"
)

// Intake takes rows into the personal tables.
//
// A block is stored wholly or, after a crash, in part, by whole partitions;
// inserting the same rows under the same token again completes it and doubles
// nothing, also when two processes do so at once. Rows are visible to all other
// methods when Insert returns.
type Intake interface {
	Insert(ctx context.Context, b *Block, token ID) error
	// Known returns, of the given records, those that the dataset holds on the days
	// from first to last, with their origin.
	Known(ctx context.Context, dataset string, records []ID, first, last Day) (map[ID]RowOrigin, error)
	// Records calls each with the records that the dataset holds on the days from
	// first to last, some at a time; each may not keep them.
	Records(ctx context.Context, dataset string, first, last Day, each func([]ID)) error
	// StoredRows counts the rows that the dataset holds from a source on the days from
	// first to last, by day.
	StoredRows(ctx context.Context, dataset string, source uint64, first, last Day) (map[Day]uint64, error)
	// OpenBatches returns the batch that rows of each of the days go into: 0, or
	// the one after the last that was sealed.
	OpenBatches(ctx context.Context, dataset string, days []Day) (map[Day]uint32, error)
}

// SourceDay is the account of one source for one day of event time: Read is the
// sum of the others, exactly. Undated counts records without a readable time.
type SourceDay struct {
	Dated       bool
	Day         Day
	Read        uint64
	Stored      uint64
	Quarantined uint64
	Refused     uint64
	Duplicate   uint64
}

// SourceState says how far the ingest of a source has come.
type SourceState string

// The states.
const (
	SourcePending   SourceState = "pending"   // begun; rows of it may be stored
	SourceComplete  SourceState = "complete"  // every record accounted for
	SourceAbandoned SourceState = "abandoned" // begun, and the input is gone or damaged
)

// Source is an input file.
type Source struct {
	Digest ID // content digest of the file as it lies on disk
	State  SourceState
	Path   string // where it lay when it was read
	Format string
	Bytes  uint64
	Run    ID
	AsOf   time.Time
	Days   []SourceDay
}

// SourceLedger remembers what was ingested. Recording the same again has no
// effect; a later state replaces an earlier one.
type SourceLedger interface {
	Source(ctx context.Context, digest ID) (Source, bool, error)
	RecordSource(ctx context.Context, s Source) error
	// Pending returns the sources that were begun and not ended, without their days.
	Pending(ctx context.Context) ([]Source, error)
}

// PartitionStats is what a personal partition holds.
type PartitionStats struct {
	Partition
	Rows     uint64
	Subjects uint64 // distinct people
	Bytes    uint64 // on disk, compressed
	// Unfinished counts the rows of input files that have not been ingested whole:
	// until they are, the partition is not complete.
	Unfinished uint64
	// Detached counts parts of it that were put aside: they hold rows nobody sees.
	Detached uint64
}

// Holding is what there is of one partition on both sides.
type Holding struct{ Personal, Published uint64 }

// Absence is what a store still holds of something that was deleted. It is
// absent only if every count is known to be zero.
type Absence struct {
	Rows     uint64 // visible rows
	Active   uint64 // active parts
	Inactive uint64 // parts that are no longer read but still on disk
	Detached uint64
}

// Proven reports whether nothing is left.
func (a Absence) Proven() bool { return a == Absence{} }

// Plus adds what is left elsewhere.
func (a Absence) Plus(b Absence) Absence {
	return Absence{a.Rows + b.Rows, a.Active + b.Active, a.Inactive + b.Inactive, a.Detached + b.Detached}
}

// PersonalTables are the tables of a policy's datasets. Where they lie on several nodes,
// what some of them hold can come together with the error that met others.
type PersonalTables interface {
	// Partitions lists the partitions of the dataset with days before the given
	// one, oldest first, with their rows, people and bytes.
	Partitions(ctx context.Context, dataset string, before Day) ([]PartitionStats, error)
	// Holdings counts the rows of partitions, personal and published.
	Holdings(ctx context.Context, dataset string, partitions []Partition) (map[Partition]Holding, error)
	// Seal closes partitions: rows that arrive from now on go into the next batch.
	Seal(ctx context.Context, dataset string, partitions []Partition) error
	// Drop deletes partitions, waits until they are physically gone, and returns
	// what is left of each. Dropping what is not there has no effect.
	Drop(ctx context.Context, dataset string, partitions []Partition) (map[Partition]Absence, error)
	MixedDays
	ExpiringFields
}

// ExpiringFields are columns whose values go before their rows do. Fields says for each
// column up to which day, exclusively, its values are due. Rows under a legal hold as of
// a time are left alone.
type ExpiringFields interface {
	// Filled counts, for the partitions of a dataset in which there are any, the rows with
	// a value that is due.
	Filled(ctx context.Context, dataset string, fields map[string]Day, asOf time.Time) (map[Partition]uint64, error)
	// Clear replaces these values by empty ones, waits until no part with them is on disk,
	// and returns what is left of each partition: rows with such a value, unfinished
	// mutations as active parts, inactive and detached parts.
	Clear(ctx context.Context, dataset string, partitions []Partition, fields map[string]Day, asOf time.Time) (map[Partition]Absence, error)
}

// Publication is the record of one published partition.
type Publication struct {
	Partition
	Dataset     string
	Step        ID
	Rows        uint64 // personal rows it was made of
	Subjects    uint64 // distinct people in them
	Published   uint64
	Generalised uint64 // of the published, those at a coarser level than the first
	Suppressed  uint64
	// Loss is the share of the detail that is lost, from 0 to 1: for a row the mean of its
	// columns' levels in relation to the coarsest, 1 if it is suppressed (1 less the
	// Precision of Sweeney, 2002).
	Loss       float64
	K          KResult
	Query      Digest    // of the SQL that made it
	VerifiedAt time.Time // zero if it is not what it should be
	DroppedAt  time.Time // zero while the personal rows may still be there
	// Early says that it was published before its window had passed: the personal rows
	// live on, and it is made anew when their time comes.
	Early bool
}

// Publisher makes the anonymised tables, for several partitions of a dataset at
// once, each as if it were alone. All methods may be repeated and run beside
// themselves.
type Publisher interface {
	// Stage generalises partitions and checks their classes, out of sight. Where
	// personal rows come or go meanwhile, it ends with ErrConflict.
	Stage(ctx context.Context, dataset string, partitions []Partition) (Staged, error)
	// Publications returns the records of those partitions that were ever verified.
	Publications(ctx context.Context, dataset string, partitions []Partition) (map[Partition]Publication, error)
	RecordPublications(ctx context.Context, pubs []Publication) error
	// Unpublished lists, as PersonalTables.Partitions does, the partitions that were
	// never verified.
	Unpublished(ctx context.Context, dataset string, before Day) ([]PartitionStats, error)
	// Early returns the records of a dataset's early publications, oldest first.
	Early(ctx context.Context, dataset string) ([]Publication, error)
}

// Staged are partitions generalised and checked but not yet visible.
type Staged interface {
	// Publications returns what was staged; after Verify, with its outcome.
	Publications() []Publication
	// Publish makes all rows of one partition visible at once, in place of what an
	// interrupted run may have left. It ends with ErrSuppression, and publishes nothing
	// of the partition, where the policy does not allow that much to be suppressed.
	Publish(ctx context.Context, p Partition) error
	// Verify looks at what is published, with separate SQL: that no row is missing,
	// that every class holds k people, and that no direct identifier is found. It
	// sets VerifiedAt of the partitions for which all of that holds, and returns an
	// error that names the others: ErrConflict if personal rows have come or gone.
	Verify(ctx context.Context) error
	// Stands returns the partitions of which every published class still holds k of the
	// people whose rows were staged: what was published can stay although some of the
	// personal rows are gone.
	Stands(ctx context.Context) (map[Partition]bool, error)
	// Discard removes the staging area. It may be called at any time.
	Discard(ctx context.Context) error
}
