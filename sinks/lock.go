package sinks

import "context"

// Locker keeps processes from doing the same work twice or in each other's way.
// A lock ends with its holder. It saves work; correctness does not rest on it.
type Locker interface {
	// Lock waits for the lock called name and holds it alone, until unlock.
	Lock(ctx context.Context, name string) (unlock func(), err error)
	// RLock holds it together with other readers.
	RLock(ctx context.Context, name string) (unlock func(), err error)
}
