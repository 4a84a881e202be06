package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Reconcile compares the buckets with the training register, both ways. What the
// register does not know is noted when it is first seen, and deleted once the policy's
// time has passed; all else is reported and left to people.
//
// It looks at the buckets that the policy's rule for strays names, and at those that the
// register names; strays are deleted from the former only. Where a bucket can hold what
// no reader meets, that is looked for, too. Keys are in its findings and nowhere else.
type Reconcile struct {
	Policy    *config.Policy
	Inventory sinks.TrainingInventory
	Buckets   map[string]sinks.Bucket
	// Holds are the legal holds. It may be nil.
	Holds sinks.HoldRegister
	// Contents says that objects with a registered digest are read and held against it.
	Contents bool

	buckets map[string]*reconciled
	strays  map[sinks.ID]sinks.Object // that are due, by their ids
}

var _ Job = (*Reconcile)(nil)

// Kinds of findings.
const (
	FoundStray   = "unregistered"         // in the bucket, not in the register
	FoundHidden  = "unregistered, hidden" // earlier versions, markers or unfinished uploads of such
	FoundMissing = "missing"              // in the register, not in the bucket
	FoundSize    = "other size"           // than registered
	FoundContent = "other content"        // than registered
	FoundOrphan  = "without its item"     // a derivative whose item is not in the bucket
)

// Finding is something that a bucket and the register do not agree about.
type Finding struct {
	Bucket string    `json:"bucket"`
	What   string    `json:"what"`
	Key    string    `json:"key"`
	Item   sinks.ID  `json:"item,omitzero"`
	Since  time.Time `json:"first_seen,omitzero"` // of what is unregistered
}

// The findings that are told and the strays that are deleted in one run are bounded, so
// that memory is; the counts are of all.
const (
	findingsTold  = 10_000
	straysPurged  = 100_000
	missingOrphan = 10_000 // missing items whose derivatives are looked for
)

// reconciled is what was found in one bucket.
type reconciled struct {
	counts   map[sinks.Count]uint64
	past     uint64     // strays whose time has passed
	fresh    []sinks.ID // strays that were never seen before
	due      []Step
	findings []Finding
	missing  map[sinks.ID]string // the keys of items
}

// Kind implements Job.
func (*Reconcile) Kind() sinks.JobKind { return sinks.JobReconcile }

// Batch implements Job.
func (*Reconcile) Batch(steps []Step) int {
	n := slices.IndexFunc(steps, func(s Step) bool { return s.Action != sinks.ActionPurgeStray || s.Bucket != steps[0].Bucket })
	if n < 0 {
		n = len(steps)
	}
	return min(max(n, 1), purgeTogether)
}

// Parallel implements Job.
func (*Reconcile) Parallel() int { return 1 }

// Findings returns what was found, bucket by bucket.
func (j *Reconcile) Findings() (all []Finding) {
	for _, name := range slices.Sorted(maps.Keys(j.buckets)) {
		all = append(all, j.buckets[name].findings...)
	}
	return all
}

// Plan implements Job. It lists the buckets.
func (j *Reconcile) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	if j.Policy.Training == nil {
		return nil, nil
	}
	j.buckets, j.strays = map[string]*reconciled{}, map[sinks.ID]sinks.Object{}
	names, err := j.named(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, name := range names {
		r, err := j.compare(ctx, name, now)
		if err != nil {
			return nil, fmt.Errorf("reconcile bucket %s: %w", name, err)
		}
		j.buckets[name] = r
		steps = append(steps, Step{
			ID:     sinks.HashID(j.Policy.Name, string(sinks.ActionReconcile), name),
			Action: sinks.ActionReconcile, Bucket: name, Clause: j.Policy.Training.Clause, Reason: "compared with the register",
			Rows: r.counts[sinks.CountRead],
		})
		purge, err := j.limit(ctx, r, now)
		if err != nil {
			return nil, err
		}
		steps = append(steps, purge...)
	}
	return steps, nil
}

// named returns the buckets to be compared: each must be in the settings.
func (j *Reconcile) named(ctx context.Context) ([]string, error) {
	names, err := j.Inventory.KnownBuckets(ctx)
	if err != nil {
		return nil, err
	}
	if rule := j.Policy.Training.Strays; rule != nil {
		names = append(names, rule.Buckets...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if j.Buckets[name] == nil {
			return nil, fmt.Errorf("%w: the policy (training.strays.buckets) or the training register names the bucket %q, and the settings do not: add it to their buckets", sinks.ErrInvalidInput, name)
		}
	}
	return names, nil
}

// limit returns the steps that delete strays; blocked if they would take too much, or
// may be under hold.
func (j *Reconcile) limit(ctx context.Context, r *reconciled, now time.Time) ([]Step, error) {
	rule := j.Policy.Training.Strays
	if rule == nil || len(r.due) == 0 {
		return nil, nil
	}
	holds, err := j.holds(ctx, now)
	if err != nil {
		return nil, err
	}
	total := r.counts[sinks.CountRead]
	for i := range r.due {
		switch s := &r.due[i]; {
		case float64(r.past) > rule.MaxShare*float64(total):
			s.Blocked = fmt.Sprintf("%d of %d objects would go, more than the max_share of %g: register what belongs there, or allow for it in the policy (training.strays)", r.past, total, rule.MaxShare)
		case mayBeHeld(holds, j.strays[s.Item].Modified):
			s.Blocked = underHold
		}
	}
	return r.due, nil
}
