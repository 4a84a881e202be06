package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

const (
	// foundTogether bounds the versions that are held in memory at once.
	foundTogether = 100 * sinks.DeleteTogether
	// emptyRounds bounds how often what is left of a batch is deleted again.
	emptyRounds = 20
	// deletionsAtOnce is how many calls delete versions side by side.
	deletionsAtOnce = 4
)

// emptying deletes all that a bucket holds under the keys of some training items:
// versions, delete markers, and unfinished uploads.
//
// It looks, deletes what it has found, and looks again, until nothing is left or
// nothing more can be done. Only the last look counts: what the store said when it
// was asked to delete is no more than the reason for what is still there.
type emptying struct {
	bucket sinks.Bucket
	keys   []string
	later  map[string]bool // keys of items: deleted after what was made from them
	// newer are keys whose newest object is of a later registration, unless it was stored
	// before the time.
	newer map[string]time.Time
	// reasons are why versions could not be deleted the last time, by key; of several
	// the one that keeps the key longest.
	reasons map[string]error
}

// empty deletes what a bucket holds of the items, and returns why some of it is
// still there, by item. Items that are not in the result are gone, with all that was
// made from them.
func empty(ctx context.Context, bucket sinks.Bucket, items []sinks.TrainingItem) map[sinks.ID]error {
	e := &emptying{bucket: bucket, later: map[string]bool{}, newer: map[string]time.Time{}, reasons: map[string]error{}}
	for _, item := range items {
		e.keys = append(append(e.keys, item.Derivatives...), item.Key)
		e.later[item.Key] = true
		e.spare(item)
	}
	for _, item := range items { // the whole object goes with its latest registration
		if item.Superseded == nil {
			for _, key := range append([]string{item.Key}, item.Derivatives...) {
				delete(e.newer, key)
			}
		}
	}
	left, err := e.run(ctx)
	if err != nil && len(items) > 1 && !errors.Is(err, sinks.ErrUnavailable) && !errors.Is(err, sinks.ErrRefused) && ctx.Err() == nil {
		return emptyEach(ctx, bucket, items) // it may be about one of them alone
	}
	failed := map[sinks.ID]error{}
	for _, item := range items {
		if why := e.why(item, left, err); why != nil {
			failed[item.Item] = why
		}
	}
	return failed
}

func emptyEach(ctx context.Context, bucket sinks.Bucket, items []sinks.TrainingItem) map[sinks.ID]error {
	failed := map[sinks.ID]error{}
	for i := range items {
		for id, err := range empty(ctx, bucket, items[i:i+1]) {
			failed[id] = err
		}
	}
	return failed
}

// why says why an item is not gone; nil if it is.
func (e *emptying) why(item sinks.TrainingItem, left map[string]int, err error) error {
	if err != nil {
		return err
	}
	versions := 0
	var reason error
	for _, key := range append([]string{item.Key}, item.Derivatives...) {
		if n := left[key]; n > 0 {
			versions += n
			reason = graver(reason, e.reasons[key])
		}
	}
	switch {
	case versions == 0:
		return nil
	case reason == nil:
		return fmt.Errorf("%w: %d objects, versions or uploads are left", sinks.ErrVerification, versions)
	}
	return fmt.Errorf("%d objects, versions or uploads are left: %w", versions, reason)
}

// run empties the keys and returns how much of each is left. An error means that
// this is not known.
func (e *emptying) run(ctx context.Context) (map[string]int, error) {
	before, deleted := 0, true
	for range emptyRounds {
		found, whole, err := e.look(ctx)
		if err != nil {
			return nil, err
		}
		// That nothing was reported to be deleted does not mean that nothing was.
		if stuck := !deleted && len(found) >= before; whole && (stuck || len(found) == 0) {
			left := map[string]int{}
			for _, v := range found {
				left[v.Key]++
			}
			return left, nil
		}
		before, deleted = len(found), e.delete(ctx, found)
	}
	return nil, fmt.Errorf("%w: the bucket holds more versions of these objects than could be deleted", sinks.ErrVerification)
}

var errEnough = errors.New("as much as is held in memory at once")

// look returns what there is, and whether that is all.
func (e *emptying) look(ctx context.Context) (found []sinks.Version, whole bool, err error) {
	type name struct{ key, id string }
	seen := map[name]bool{}
	err = e.bucket.Versions(ctx, e.keys, func(v sinks.Version) error {
		if len(found) == foundTogether {
			return errEnough
		}
		if n := (name{v.Key, v.ID}); !seen[n] {
			seen[n] = true
			found = append(found, v)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return e.withoutNewer(found), false, nil
	}
	return e.withoutNewer(found), true, err
}

// spare notes what of an item's keys is a later registration's.
func (e *emptying) spare(item sinks.TrainingItem) {
	if item.Superseded == nil {
		return
	}
	for _, key := range append([]string{item.Key}, item.Superseded.Shared...) {
		from := item.Superseded.Withdrawn.Add(-storedWithin)
		if known, ok := e.newer[key]; !ok || from.After(known) {
			e.newer[key] = from
		}
	}
}

// storedWithin is how exactly stores say when an object was stored.
const storedWithin = time.Second

// withoutNewer takes out of what was found, the newest of a key first, what is of a later
// registration: the newest object of the key, what hides it, and uploads begun since it
// was stored. If that object was there when the consent to the earlier one was withdrawn,
// it is the earlier one, and nothing has been uploaded since. When the others were stored
// tells nothing: some stores say when they were replaced.
func (e *emptying) withoutNewer(found []sinks.Version) []sinks.Version {
	if len(e.newer) == 0 {
		return found
	}
	newest := map[string]time.Time{} // when it was stored
	for _, v := range found {
		if _, met := newest[v.Key]; !met && v.Kind == sinks.ObjectVersion {
			newest[v.Key] = v.Modified
		}
	}
	passed := map[string]bool{}
	return slices.DeleteFunc(found, func(v sinks.Version) bool {
		from, shared := e.newer[v.Key]
		stored, there := newest[v.Key]
		if !shared || !there || stored.Before(from) {
			return false
		}
		if v.Kind == sinks.UnfinishedUpload {
			return !v.Modified.Before(stored)
		}
		if passed[v.Key] {
			return false
		}
		passed[v.Key] = v.Kind == sinks.ObjectVersion
		return true
	})
}

// delete deletes what was found, and reports whether it may have had an effect. What
// was made from an item goes before the item, old versions before new ones, and the
// marker that hides a key last and only if nothing is left to be hidden: nothing
// that was hidden comes into sight on the way.
func (e *emptying) delete(ctx context.Context, found []sinks.Version) (deleted bool) {
	clear(e.reasons)
	slices.Reverse(found) // oldest first
	slices.SortStableFunc(found, func(a, b sinks.Version) int { return cmp.Compare(e.rank(a), e.rank(b)) })
	hiding, _ := slices.BinarySearchFunc(found, rankHiding, func(v sinks.Version, rank int) int { return cmp.Compare(e.rank(v), rank) })
	deleted = e.deleteAll(ctx, found[:hiding])
	markers := slices.DeleteFunc(slices.Clone(found[hiding:]), func(v sinks.Version) bool { return e.reasons[v.Key] != nil })
	return e.deleteAll(ctx, markers) || deleted
}

// The order in which versions are deleted.
const (
	rankDerivative = iota
	rankItem
	rankHiding
)

func (e *emptying) rank(v sinks.Version) int {
	switch {
	case v.Kind == sinks.DeleteMarker && v.Latest:
		return rankHiding
	case e.later[v.Key]:
		return rankItem
	}
	return rankDerivative
}

// deleteAll deletes versions, some calls side by side, and notes why some cannot be
// deleted. The versions of a key go together: stores may move one to the place of
// another.
func (e *emptying) deleteAll(ctx context.Context, versions []sinks.Version) (deleted bool) {
	var mu sync.Mutex // guards deleted and the reasons
	var group errgroup.Group
	group.SetLimit(deletionsAtOnce)
	for len(versions) > 0 {
		batch := versions[:callSize(versions)]
		versions = versions[len(batch):]
		group.Go(func() error {
			errs := e.bucket.Delete(ctx, batch)
			sinks.Failpoint("purge.deleted")
			mu.Lock()
			defer mu.Unlock()
			for i, err := range errs {
				if err == nil {
					deleted = true
					continue
				}
				e.reasons[batch[i].Key] = graver(e.reasons[batch[i].Key], err)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are among the reasons
	return deleted
}

// callSize returns how many of the versions, from the first, one call deletes: as
// many as it may, if possible without parting those of a key.
func callSize(versions []sinks.Version) int {
	size := min(len(versions), sinks.DeleteTogether)
	for n := size; n > 0 && n < len(versions); n-- {
		if versions[n].Key != versions[n-1].Key {
			return n
		}
	}
	return size
}

// graver returns the error that keeps an object longer: the later lock, a lock
// rather than another error.
func graver(a, b error) error {
	var first, second *sinks.LockedError
	switch {
	case a == nil:
		return b
	case !errors.As(b, &second):
		return a
	case !errors.As(a, &first) || second.Until.After(first.Until):
		return b
	}
	return a
}
