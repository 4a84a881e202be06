package sinks

import (
	"context"
	"time"
)

// KnownObject is an object that the training register expects in a bucket.
type KnownObject struct {
	Key        string
	Item       ID
	Derivative bool   // made from the item, and not the item itself
	ByRule     bool   // so the policy says, it is not registered
	Bytes      uint64 // as registered; 0 if that is not known
	SHA256     string // of the content, in hexadecimal digits; empty if that is not known
}

// TrainingInventory is what the training register expects in the buckets, and what was
// found there that it does not know. All methods may be repeated.
type TrainingInventory interface {
	// KnownBuckets returns the buckets in which the register expects objects.
	KnownBuckets(ctx context.Context) ([]string, error)
	// EachKnown calls each for the objects that the register expects in a bucket, each key
	// once, in the order of the keys' bytes, until it returns an error.
	EachKnown(ctx context.Context, bucket string, each func(KnownObject) error) error
	// Expected returns those of the keys that the register expects in a bucket.
	Expected(ctx context.Context, bucket string, keys []string) (map[string]KnownObject, error)
	// Strays returns when each stray of a bucket was first noticed.
	Strays(ctx context.Context, bucket string) (map[ID]time.Time, error)
	// NoteStrays notes strays that were seen at a time. One that is known keeps its time.
	NoteStrays(ctx context.Context, bucket string, at time.Time, strays []ID) error
}
