package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// listing is a bucket's listing, an object at a time.
type listing struct {
	next func() (sinks.Object, bool)
	stop func()
	err  error // why it ended early
}

var errNoMore = errors.New("nothing more is wanted")

// list lists a bucket, in the order of the keys' bytes.
func list(ctx context.Context, b sinks.Bucket) *listing {
	l := &listing{}
	l.next, l.stop = iter.Pull(func(yield func(sinks.Object) bool) {
		err := b.List(ctx, "", func(o sinks.Object) error {
			if !yield(o) {
				return errNoMore
			}
			return nil
		})
		if !errors.Is(err, errNoMore) {
			l.err = err
		}
	})
	return l
}

// Execute implements Job.
func (j *Reconcile) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	switch steps[0].Action {
	case sinks.ActionReconcile:
		return []Outcome{j.note(ctx, in, steps[0])}
	case sinks.ActionPurgeStray:
		return j.purgeStrays(ctx, in, steps)
	}
	return failAll(steps, fmt.Errorf("reconcile does not do %q", steps[0].Action))
}

// note notes the strays that were seen for the first time.
func (j *Reconcile) note(ctx context.Context, in Session, s Step) Outcome {
	r, ok := j.buckets[s.Bucket]
	if !ok { // of an interrupted run, and the settings name the bucket no more
		return Outcome{Step: s, Result: sinks.ResultAbandoned}
	}
	if len(r.fresh) > 0 {
		if err := j.Inventory.NoteStrays(ctx, s.Bucket, in.AsOf, r.fresh); err != nil {
			return failed(s, err)
		}
	}
	sinks.Failpoint("reconcile.noted")
	return Outcome{Step: s, Result: sinks.ResultDone, Counts: maps.Clone(r.counts)}
}

// purgeStrays deletes objects that the register still does not know, with all their
// versions. They are of one bucket.
func (j *Reconcile) purgeStrays(ctx context.Context, in Session, steps []Step) []Outcome {
	bucket := j.Buckets[steps[0].Bucket]
	if bucket == nil {
		return failAll(steps, fmt.Errorf("%w: the settings name no bucket %q", sinks.ErrInvalidInput, steps[0].Bucket))
	}
	spared, err := j.spared(ctx, in.AsOf, bucket, steps)
	if err != nil {
		return failAll(steps, err)
	}
	var objects []sinks.TrainingItem
	for _, s := range steps {
		if found, ok := j.strays[s.Item]; ok && spared[s.Item] == nil {
			objects = append(objects, sinks.TrainingItem{Item: s.Item, Key: found.Key})
		}
	}
	left := map[sinks.ID]error{}
	if len(objects) > 0 {
		left = empty(ctx, bucket, objects)
	}
	sinks.Failpoint("reconcile.verified")
	var purged Outcome
	purged.reached(sinks.StageRemoved)
	purged.reached(sinks.StageVersionsGone)
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		_, ok := j.strays[s.Item]
		why := spared[s.Item]
		switch {
		case !ok: // an interrupted run has deleted it: it is listed no more
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged}
		case errors.Is(why, errNoStray):
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultAbandoned}
		case why != nil:
			outcomes[i] = kept(s, why)
		case left[s.Item] != nil:
			outcomes[i] = kept(s, left[s.Item])
		default:
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone, Stages: purged.Stages, Counts: map[sinks.Count]uint64{sinks.CountObjects: 1, sinks.CountBytes: s.Bytes}}
		}
	}
	return outcomes
}

// errNoStray means that an object has been registered since it was listed, or that
// another one is there by now.
var errNoStray = errors.New("not an object that was seen before and is not registered")

// spared says which of the strays may not be deleted after all, and why. It looks at the
// register, at the holds and at the bucket again: the plan may be hours old.
func (j *Reconcile) spared(ctx context.Context, asOf time.Time, bucket sinks.Bucket, steps []Step) (map[sinks.ID]error, error) {
	byKey := map[string]sinks.Object{}
	for _, s := range steps {
		if found, ok := j.strays[s.Item]; ok {
			byKey[found.Key] = found
		}
	}
	keys := slices.Sorted(maps.Keys(byKey))
	if len(keys) == 0 {
		return nil, nil
	}
	own := j.belongings(steps[0].Bucket)
	owned, err := own.of(ctx, keys)
	if err != nil {
		return nil, err
	}
	holds, err := j.holds(ctx, asOf)
	if err != nil {
		return nil, err
	}
	replaced := map[string]bool{}
	err = bucket.Versions(ctx, keys, func(v sinks.Version) error {
		found := byKey[v.Key]
		if v.Kind == sinks.ObjectVersion && v.Latest && (v.Bytes != found.Bytes || !sameSecond(v.Modified, found.Modified)) {
			replaced[v.Key] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	spared := map[sinks.ID]error{}
	for _, s := range steps {
		found := j.strays[s.Item]
		_, belongs := owned[found.Key]
		switch {
		case belongs || replaced[found.Key]:
			spared[s.Item] = errNoStray
		case mayBeHeld(holds, found.Modified):
			spared[s.Item] = fmt.Errorf("%w: %s", sinks.ErrConflict, underHold)
		}
	}
	return spared, nil
}

// sameSecond reports whether two times are the same to the second: stores tell times in
// listings of objects and of versions with different fractions.
func sameSecond(a, b time.Time) bool { return a.Unix() == b.Unix() }

// holds returns the legal holds in force that concern training items.
func (j *Reconcile) holds(ctx context.Context, asOf time.Time) ([]sinks.Hold, error) {
	if j.Holds == nil {
		return nil, nil
	}
	holds, err := j.Holds.Holds(ctx)
	return slices.DeleteFunc(holds, func(h sinks.Hold) bool {
		return !h.InForce(asOf) || h.Dataset != "" && h.Dataset != sinks.TrainingDataset
	}), err
}

// mayBeHeld reports whether one of the holds may be on an object that was stored at a
// time: nobody knows who is in it, so one on any person or organisation may (I6).
func mayBeHeld(holds []sinks.Hold, stored time.Time) bool {
	return slices.ContainsFunc(holds, func(h sinks.Hold) bool {
		return !stored.Before(h.From) && (h.To.IsZero() || stored.Before(h.To))
	})
}
