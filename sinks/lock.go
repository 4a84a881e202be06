package sinks

import (
	"context"
	"errors"
	"slices"
)

// Locker keeps processes from doing the same work twice or in each other's way.
// A lock ends with its holder. It saves work; correctness does not rest on it.
type Locker interface {
	// Lock waits for the lock called name and holds it alone, until unlock.
	Lock(ctx context.Context, name string) (unlock func(), err error)
	// RLock holds it together with other readers.
	RLock(ctx context.Context, name string) (unlock func(), err error)
}

// Lease lets one holder run a job at a time, whatever machine it is on. It saves
// work and keeps logs readable; correctness does not rest on it, because no lease can
// stop a holder that has slept past its end.
type Lease interface {
	// Hold takes the lease called name and keeps it until release. If somebody else has
	// it, Hold waits where wait is set, and otherwise returns ErrHeld at once. The
	// context it returns ends when the lease is lost.
	Hold(ctx context.Context, name string, wait bool) (held context.Context, release func(), err error)
}

// ErrHeld means that somebody else runs the same job.
var ErrHeld = errors.New("it runs already, elsewhere")

var _ Lease = Leases{}

// Leases are several leases held together, taken in their order.
type Leases []Lease

// Hold implements Lease.
func (l Leases) Hold(ctx context.Context, name string, wait bool) (context.Context, func(), error) {
	var releases []func()
	release := func() {
		for _, one := range slices.Backward(releases) {
			one()
		}
	}
	held := ctx
	for _, lease := range l {
		inner, one, err := lease.Hold(held, name, wait)
		if err != nil {
			release()
			return nil, nil, err
		}
		held, releases = inner, append(releases, one)
	}
	return held, release, nil
}
