package jobs

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Purge deletes what is past its window and is not to be published: training
// items with their derivatives, the rows of closed and abandoned accounts, whole
// days of datasets that are erased, values that go before their rows do, the quarantine, decisions about consent
// that hold no more, and the keys of pseudonyms.
//
// Nothing counts as deleted that has not been looked for afterwards.
type Purge struct {
	Policy   *config.Policy
	Personal sinks.PersonalTables
	Subjects sinks.SubjectTables
	Register sinks.TrainingRegister
	// Inventory tells whose what lies in a bucket is. It is needed where the policy has
	// rules for derivatives.
	Inventory sinks.TrainingInventory
	Buckets   map[string]sinks.Bucket
	Locks     sinks.Locker
	// Holds tells which training items are under legal hold. It may be nil.
	Holds sinks.ItemHolds
	// Keys are those of the policy's pseudonyms. It may be nil.
	Keys sinks.Keyring
	// Ledgers hold the keys of the tombstones and of the consent ledger. If it is nil the
	// tombstones have no digest, and no decision about consent is forgotten.
	Ledgers sinks.LedgerKeys
	// Consents forgets decisions about consent. It may be nil.
	Consents sinks.ConsentRetention
	// Together is how many training items are planned at once; 32,000 if it is zero.
	// Each portion takes a look at all of the register, and a kilobyte an item.
	Together int
}

var _ Portioned = (*Purge)(nil)

// purgeTogether is how many items are purged together, between two entries in the
// audit log: enough to fill several calls by which their objects are deleted.
const purgeTogether = 2 * sinks.DeleteTogether

// Kind implements Job.
func (*Purge) Kind() sinks.JobKind { return sinks.JobPurge }

// Batch implements Job.
func (*Purge) Batch(steps []Step) int {
	switch steps[0].Action {
	case sinks.ActionErasePartition, sinks.ActionExpireFields:
		return samePartitions(steps, anonymiseTogether, 1<<62)
	case sinks.ActionPurgeItem:
		n := slices.IndexFunc(steps, func(s Step) bool { return s.Action != sinks.ActionPurgeItem })
		if n < 0 {
			n = len(steps)
		}
		return min(n, purgeTogether)
	}
	return 1
}

// Parallel implements Job: what the register says about items goes after them.
func (*Purge) Parallel() int { return 1 }

// Plan implements Job. The steps take about a kilobyte each.
func (j *Purge) Plan(ctx context.Context, now time.Time) (steps []Step, err error) {
	for portion, met := range j.Portions(ctx, now) {
		steps, err = append(steps, portion...), met
	}
	return steps, err
}

// Portions implements Portioned: training items a page at a time, and all the rest, of
// which there is little, with what met any of them.
func (j *Purge) Portions(ctx context.Context, now time.Time) iter.Seq2[[]Step, error] {
	return func(yield func([]Step, error) bool) {
		var errs *multierror.Error // what met one dataset does not keep the others from being done
		purged := sinks.ID{}       // digest of the items
		for items, err := range dueItems(ctx, j.Register, j.Policy, now, cmp.Or(j.Together, itemsTogether)) {
			if err == nil {
				var steps []Step
				if steps, err = j.planItems(ctx, now, items, &purged); err == nil && !yield(steps, nil) {
					return
				}
			}
			if err != nil {
				errs = multierror.Append(errs, fmt.Errorf("plan training items: %w", err))
				break
			}
		}
		var steps []Step
		for _, plan := range []func(context.Context, time.Time) ([]Step, error){
			func(ctx context.Context, now time.Time) ([]Step, error) { return j.planForget(ctx, now, purged) },
			j.planSubjects, j.planPartitions, j.planFields, j.planQuarantine, j.planConsents, j.planKeys,
		} {
			more, err := plan(ctx, now)
			if err != nil {
				errs = multierror.Append(errs, err)
			}
			steps = append(steps, more...)
		}
		yield(steps, errs.ErrorOrNil())
	}
}

// planPartitions plans the datasets whose days are erased and not published.
func (j *Purge) planPartitions(ctx context.Context, now time.Time) ([]Step, error) {
	return planDatasets(ctx, j.Policy, j.Personal, config.Erase, sinks.ActionErasePartition, now)
}

// planQuarantine plans the records that could not be read and were not replayed.
func (j *Purge) planQuarantine(ctx context.Context, now time.Time) ([]Step, error) {
	return expired(ctx, j.Policy, j.Personal, sinks.QuarantineDataset, quarantineWindow(j.Policy), sinks.ActionErasePartition, now)
}

func quarantineWindow(p *config.Policy) *config.Window {
	q := p.Quarantine
	return &config.Window{
		Trigger: config.Trigger(sinks.RuleQuarantined), Keep: q.Keep, Action: config.Erase, Clause: q.Clause, Rationale: q.Rationale,
	}
}

// Execute implements Job.
func (j *Purge) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	switch steps[0].Action {
	case sinks.ActionErasePartition:
		return j.erasePartitions(ctx, in, steps)
	case sinks.ActionExpireFields:
		return j.expireFields(ctx, in, steps)
	case sinks.ActionPurgeItem:
		return j.purgeItems(ctx, in, steps)
	case sinks.ActionMarkItems:
		return []Outcome{j.markItems(ctx, in, steps[0])}
	case sinks.ActionEraseSubjects:
		return []Outcome{j.eraseSubjects(ctx, in, steps[0])}
	case sinks.ActionDestroyKey:
		return []Outcome{j.destroyKey(in, steps[0])}
	case sinks.ActionForgetConsents:
		return []Outcome{j.forgetConsents(ctx, in, steps[0])}
	case sinks.ActionForgetItems:
		return []Outcome{j.forget(ctx, in, steps[0])}
	}
	return failAll(steps, fmt.Errorf("purge does not do %q", steps[0].Action))
}

// erasePartitions drops partitions that are not published, but for the rows that may
// not be touched.
func (j *Purge) erasePartitions(ctx context.Context, in Session, steps []Step) []Outcome {
	dataset, partitions := steps[0].Dataset, partitionsOf(steps)
	e, err := exemption(j.Policy, dataset, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	unlock, err := j.Locks.Lock(ctx, sealLock(dataset))
	if err != nil {
		return failAll(steps, err)
	}
	err = j.Personal.Seal(ctx, dataset, partitions)
	unlock()
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("purge.sealed")
	due, exempt, err := separate(ctx, j.Personal, dataset, partitions, e)
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("purge.separated")
	left, err := j.Personal.Drop(ctx, dataset, due)
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("purge.dropped")
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		if !slices.Contains(due, *s.Partition) {
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged}
			continue
		}
		s.Held, s.KeptLonger = exempt[*s.Partition].Held, exempt[*s.Partition].Later
		outcomes[i] = absent(s, left[*s.Partition])
		outcomes[i].Counts = map[sinks.Count]uint64{
			sinks.CountBefore: s.Rows, sinks.CountSubjects: s.Subjects, sinks.CountHeld: s.Held, sinks.CountKeptLonger: s.KeptLonger,
		}
	}
	return outcomes
}

// absent gives the outcome of a deletion, after looking for what is left.
func absent(s Step, left sinks.Absence) Outcome {
	if !left.Proven() {
		return failed(s, fmt.Errorf("%w: after the deletion there are %d rows, %d active or unfinished, %d inactive and %d detached parts", sinks.ErrVerification, left.Rows, left.Active, left.Inactive, left.Detached))
	}
	o := Outcome{Step: s, Result: sinks.ResultDone}
	o.reached(sinks.StageRemoved)
	o.reached(sinks.StageGone)
	return o
}
