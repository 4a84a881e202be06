package jobs

import (
	"context"

	"github.com/facesoft/lapse/sinks"
)

// ErasureCopy is the erasure ledger a second time, where no restored backup of the
// tables takes it back.
type ErasureCopy interface {
	// Append adds erasures and returns when they are durable.
	Append(erasures []sinks.Erasure) error
	// Each calls each with all of them, some at a time.
	Each(ctx context.Context, each func([]sinks.Erasure) error) error
	// Last returns the latest of them, some, or none if there are none.
	Last() ([]sinks.Erasure, error)
}

// KeptErasures is the erasure ledger with its copy: what is entered goes into both.
type KeptErasures struct {
	sinks.ErasureLedger
	Copy ErasureCopy
}

// RecordErasures implements sinks.ErasureLedger.
func (k KeptErasures) RecordErasures(ctx context.Context, erasures []sinks.Erasure) error {
	if err := k.Copy.Append(erasures); err != nil {
		return err
	}
	return k.ErasureLedger.RecordErasures(ctx, erasures)
}

// RestoreIfBehind restores the ledger if it lacks the last of what the copy has: a
// restored backup has lost what was entered last.
func (k KeptErasures) RestoreIfBehind(ctx context.Context) (restored int, err error) {
	last, err := k.Copy.Last()
	if err != nil {
		return 0, err
	}
	missing, err := k.missing(ctx, last)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	return k.Restore(ctx)
}

// missing returns those of the erasures that the ledger lacks.
func (k KeptErasures) missing(ctx context.Context, some []sinks.Erasure) (missing []sinks.Erasure, err error) {
	if len(some) == 0 {
		return nil, nil
	}
	keys := make([]sinks.SubjectKey, len(some))
	for i, e := range some {
		keys[i] = e.Subject
	}
	known, err := k.ErasuresOf(ctx, keys)
	if err != nil {
		return nil, err
	}
	until := map[sinks.SubjectKey]int64{}
	for _, e := range known {
		until[e.Subject] = e.Until.UnixMilli()
	}
	for _, e := range some {
		if last, entered := until[e.Subject]; !entered || last < e.Until.UnixMilli() {
			missing = append(missing, e)
		}
	}
	return missing, nil
}

// Restore enters in the ledger what only the copy knows, and counts that.
func (k KeptErasures) Restore(ctx context.Context) (restored int, err error) {
	err = k.Copy.Each(ctx, func(some []sinks.Erasure) error {
		missing, err := k.missing(ctx, some)
		if err != nil {
			return err
		}
		restored += len(missing)
		return k.ErasureLedger.RecordErasures(ctx, missing)
	})
	return restored, err
}
