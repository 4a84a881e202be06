package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// ErrNotRestorable means that an item cannot be restored; the error says why.
var ErrNotRestorable = errors.New("the item cannot be restored")

// Restore takes back that training items are to be deleted, while they are hidden and
// their grace lasts. It is for what the operator has decided; where a person's wish is
// the reason, that wish has to be recorded anew.
type Restore struct {
	Policy   *config.Policy
	Register sinks.TrainingRegister
	Locks    sinks.Locker
	Items    []sinks.ID
}

var _ Job = (*Restore)(nil)

// Kind implements Job.
func (*Restore) Kind() sinks.JobKind { return sinks.JobTraining }

// Batch implements Job.
func (*Restore) Batch(steps []Step) int { return len(steps) }

// Parallel implements Job.
func (*Restore) Parallel() int { return 1 }

// Plan implements Job. It fails if one of the items cannot be restored.
func (j *Restore) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	due, err := j.restorable(ctx, now)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, id := range j.Items {
		item, ok := due[id]
		if !ok {
			return nil, fmt.Errorf("%w: %s is not hidden", ErrNotRestorable, id)
		}
		if item.err != nil {
			return nil, item.err
		}
		w, _ := j.Policy.Training.Window(config.Trigger(item.Rule))
		steps = append(steps, Step{
			ID:     sinks.HashID(j.Policy.Name, string(sinks.ActionRestoreItem), id.String(), item.MarkedAt.Format(time.RFC3339Nano)),
			Action: sinks.ActionRestoreItem, Item: id, Bucket: item.Bucket, Rule: item.Rule, Clause: w.Clause, Bytes: item.Bytes,
			Reason: "hidden on " + sinks.DayOf(item.MarkedAt).String(),
		})
	}
	return steps, nil
}

type restorableItem struct {
	sinks.TrainingItem
	err error // why it cannot be restored; nil if it can
}

// restorable judges those of the job's items that are due and hidden.
func (j *Restore) restorable(ctx context.Context, now time.Time) (map[sinks.ID]restorableItem, error) {
	if j.Policy.Training == nil {
		return nil, fmt.Errorf("%w: the policy has no rule for training", ErrNotRestorable)
	}
	zone := j.Policy.TimeZone.Location()
	found := map[sinks.ID]restorableItem{}
	for items, err := range dueItems(ctx, j.Register, j.Policy, now, itemsTogether) {
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item.MarkedAt.IsZero() || !slices.Contains(j.Items, item.Item) {
				continue
			}
			r := restorableItem{TrainingItem: item}
			switch until := DeletedFrom(j.Policy.Training, item.MarkedAt, now, zone); {
			case !item.Rule.Restorable():
				r.err = fmt.Errorf("%w: %s is due by %s: record the consent that it rests on, with 'lapse training grant', and it is used again", ErrNotRestorable, item.Item, item.Rule)
			case !until.After(now):
				r.err = fmt.Errorf("%w: the grace of %s ended at %s, and its deletion may have begun", ErrNotRestorable, item.Item, until.UTC().Format(time.RFC3339))
			}
			found[item.Item] = r
		}
	}
	return found, nil
}

// Execute implements Job. Items are judged again, where no purge is at work.
func (j *Restore) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	unlock, err := j.Locks.Lock(ctx, string(sinks.JobPurge))
	if err != nil {
		return failAll(steps, err)
	}
	defer unlock()
	again := *j
	again.Items = nil
	for _, s := range steps {
		again.Items = append(again.Items, s.Item)
	}
	due, err := again.restorable(ctx, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	outcomes := make([]Outcome, len(steps))
	var ids []sinks.ID
	for i, s := range steps {
		item, hidden := due[s.Item]
		switch {
		case item.err != nil:
			outcomes[i] = failed(s, item.err)
		case !hidden: // an interrupted run has done it
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged}
		default:
			ids = append(ids, s.Item)
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountBytes: item.Bytes}}
		}
	}
	if len(ids) > 0 {
		if err := j.Register.RestoreItems(ctx, in.AsOf, ids); err != nil {
			return failAll(steps, err)
		}
	}
	sinks.Failpoint("training.restored")
	return outcomes
}
