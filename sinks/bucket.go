package sinks

import (
	"context"
	"io"
	"time"
)

// Object is something in a bucket.
type Object struct {
	Key      string
	Bytes    int64
	Modified time.Time
}

// Bucket is an object store.
//
// Delete removes an object with all its versions and markers; what is not there
// is deleted already. Remaining says how many versions a key still has: an object
// is gone only if that is zero, whatever Delete returned.
type Bucket interface {
	Delete(ctx context.Context, key string) error
	Remaining(ctx context.Context, key string) (versions int, err error)
	// Put stores an object; it replaces one of the same key.
	Put(ctx context.Context, key string, content io.Reader) error
	// List calls each for every object whose key begins with prefix, in the order
	// of their keys, until it returns an error.
	List(ctx context.Context, prefix string, each func(Object) error) error
}

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
}
