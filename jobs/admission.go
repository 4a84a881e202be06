package jobs

import (
	"context"

	"github.com/facesoft/lapse/sinks"
)

// The locks by which what has just been entered in the erasure ledger is known to every
// group of records that is stored from then on. A group is admitted by what its gate has
// learned, and stored a while later. It holds the lock "admission", with others, from
// before the one until after the other; who has entered an erasure waits for the lock
// alone once, and then no group is on its way that was admitted without it. The
// turnstile keeps new groups from coming between, for ever, in a long ingest.
const (
	admissionLock = "admission"
	turnstileLock = "admission-turnstile"
)

// enterAdmission is called before a group's gate learns. The result is called when the
// group is stored.
func enterAdmission(ctx context.Context, locks sinks.Locker) (leave func(), err error) {
	pass, err := locks.RLock(ctx, turnstileLock)
	if err != nil {
		return nil, err
	}
	defer pass()
	return locks.RLock(ctx, admissionLock)
}

// awaitAdmitted returns when every group is stored that was admitted before it was
// called.
func awaitAdmitted(ctx context.Context, locks sinks.Locker) error {
	unlock, err := locks.Lock(ctx, turnstileLock)
	if err != nil {
		return err
	}
	defer unlock()
	none, err := locks.Lock(ctx, admissionLock)
	if err != nil {
		return err
	}
	none()
	return nil
}
