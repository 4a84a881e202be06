// Package filelock keeps processes of one machine apart by locks on files. A lock
// ends with the process that holds it, kill -9 included.
package filelock

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/facesoft/lapse/sinks"
)

// retryInterval is how often a lock that somebody else holds is tried again.
const retryInterval = 20 * time.Millisecond

// Locks are locks on the files of one folder.
type Locks struct{ dir string }

var (
	_ sinks.Locker = Locks{}
	_ sinks.Lease  = Locks{}
)

// Open returns the locks in dir, which is made if it does not exist.
func Open(dir string) (Locks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Locks{}, fmt.Errorf("open locks: %w", err)
	}
	return Locks{dir}, nil
}

// Lock implements sinks.Locker.
func (l Locks) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return l.acquire(ctx, name, (*flock.Flock).TryLockContext)
}

// RLock implements sinks.Locker.
func (l Locks) RLock(ctx context.Context, name string) (unlock func(), err error) {
	return l.acquire(ctx, name, (*flock.Flock).TryRLockContext)
}

func (l Locks) acquire(ctx context.Context, name string, try func(*flock.Flock, context.Context, time.Duration) (bool, error)) (func(), error) {
	f := flock.New(filepath.Join(l.dir, name+".lock")) // one a holder: flock tells apart open files, not processes
	if _, err := try(f, ctx, retryInterval); err != nil {
		return nil, fmt.Errorf("wait for the lock %q: %w", name, err)
	}
	return func() { _ = f.Unlock() }, nil
}

// Hold implements sinks.Lease for the processes of one machine: the lease is the lock
// of the same name. It is never lost before it is released.
func (l Locks) Hold(ctx context.Context, name string, wait bool) (context.Context, func(), error) {
	if wait {
		unlock, err := l.Lock(ctx, name)
		return ctx, unlock, err
	}
	f := flock.New(filepath.Join(l.dir, name+".lock"))
	switch locked, err := f.TryLock(); {
	case err != nil:
		return nil, nil, fmt.Errorf("take the lock %q: %w", name, err)
	case !locked:
		return nil, nil, fmt.Errorf("%s: %w", name, sinks.ErrHeld)
	}
	return ctx, func() { _ = f.Unlock() }, nil
}
