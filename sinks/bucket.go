package sinks

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Object is something in a bucket.
type Object struct {
	Key      string
	Bytes    int64
	Modified time.Time
}

// VersionKind tells apart what a bucket can hold under a key.
type VersionKind uint8

// The kinds.
const (
	ObjectVersion    VersionKind = iota // an object, or an earlier state of it
	DeleteMarker                        // no content: hides the versions before it
	UnfinishedUpload                    // parts of an object whose upload was begun
)

// Version is something that a bucket holds under a key.
type Version struct {
	Key      string
	ID       string // the store's own name for it; empty in a store without versions
	Kind     VersionKind
	Latest   bool // what a reader of the key meets: the object, or the marker that hides it
	Bytes    int64
	Modified time.Time
}

// DeleteTogether is how many versions are deleted in one call at most.
const DeleteTogether = 1000

// Bucket is an object store, with or without versions. It may be used from
// several goroutines at once. No error of it names a key: keys can name people.
//
// A key is empty if Versions finds nothing under it, whatever Delete returned.
type Bucket interface {
	// Versions calls each for everything that there is under any of the keys, the
	// newest of a key first, until it returns an error; now and then for the same
	// twice. Objects under other keys are passed over, also those whose keys begin
	// with one of these. Nothing may be deleted meanwhile. An error may be about one
	// of the keys alone, unless it is ErrUnavailable or ErrRefused.
	Versions(ctx context.Context, keys []string, each func(Version) error) error
	// VersionsUnder calls each for everything that there is under any key that begins with
	// one of the prefixes, until it returns an error; now and then for the same twice.
	// Unfinished uploads are left out where the store tells of them only to who names
	// their keys. What Versions says of order, deletions and errors holds here, too.
	VersionsUnder(ctx context.Context, prefixes []string, each func(Version) error) error
	// Delete deletes up to DeleteTogether versions for good, in no particular
	// order, and returns for each, in theirs, an error or nil: the store says that
	// it is deleted, or was not there. A *LockedError says that it may not be.
	Delete(ctx context.Context, versions []Version) []error
	// Put stores an object; it replaces one of the same key. It is there whole or
	// not at all.
	Put(ctx context.Context, key string, content io.Reader) error
	// List calls each for every object whose key begins with prefix, in the order
	// of the keys' bytes, until it returns an error.
	List(ctx context.Context, prefix string, each func(Object) error) error
}

// ReadableBucket is a bucket whose objects can be read.
type ReadableBucket interface {
	Bucket
	// Get opens an object, in the state that was put last. If there is none, it or the
	// first Read returns ErrSourceMissing.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
}

// HidingBucket is a bucket that can hold what no reader meets.
type HidingBucket interface {
	Bucket
	// Hidden calls each once for every key under which there are versions, markers or
	// unfinished uploads, but no object, in no particular order, until it returns an
	// error. Modified is the time of the newest of them.
	Hidden(ctx context.Context, each func(Object) error) error
}

// LockedError says that a store keeps an object from being deleted: for a time
// (Object Lock), or until somebody lifts its legal hold. It is ErrRefused.
type LockedError struct {
	Until time.Time // UTC; zero if only a legal hold keeps it
	Held  bool      // under a legal hold of the store
}

func (e *LockedError) Error() string {
	switch {
	case e.Until.IsZero():
		return "the store keeps it under legal hold"
	case e.Held:
		return fmt.Sprintf("the store keeps it locked until %s, and under legal hold", e.Until.Format(time.RFC3339))
	}
	return "the store keeps it locked until " + e.Until.Format(time.RFC3339)
}

// Unwrap makes it ErrRefused.
func (*LockedError) Unwrap() error { return ErrRefused }

// Inputs are files to be ingested.
type Inputs interface {
	// List returns the files, in a fixed order.
	List(ctx context.Context) ([]InputFile, error)
	// Open opens a file that List returned.
	Open(ctx context.Context, f InputFile) (io.ReadCloser, error)
}

// InputFile is a file to be ingested, as long as it was when it was listed.
type InputFile struct {
	Path   string
	Bytes  int64
	Format string // if it is given; else the content tells
	Own    bool   // Lapse has made it, and nobody else has a use for it
}

// DisposableInputs are files to be ingested that can be got rid of afterwards.
type DisposableInputs interface {
	Inputs
	// Remove deletes a file for good, with every version that its store keeps, and
	// looks for it. It need not be there.
	Remove(ctx context.Context, f InputFile) error
	// Move puts a file among the processed ones, under a name. It need not be there any
	// more if it is there under that name.
	Move(ctx context.Context, f InputFile, on Day, name string) error
	// Processed returns the files that were moved, in a fixed order.
	Processed(ctx context.Context) ([]ProcessedFile, error)
}

// ProcessedFile is a file that was moved on a day.
type ProcessedFile struct {
	InputFile
	On Day
}
