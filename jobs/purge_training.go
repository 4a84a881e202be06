package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

const itemsTogether = 32_000

// dueItems yields the training items that are due, so many at once.
func dueItems(ctx context.Context, register sinks.TrainingRegister, p *config.Policy, now time.Time, together int) iter.Seq2[[]sinks.TrainingItem, error] {
	return func(yield func([]sinks.TrainingItem, error) bool) {
		page := sinks.ItemPage{Limit: together}
		for more := p.Training != nil; more; {
			items, err := register.DueItems(ctx, now, TrainingCutoffs(p, now), page)
			if more = err == nil && len(items) == page.Limit; more {
				last := items[len(items)-1]
				page.AfterBucket, page.AfterKey, page.AfterItem = last.Bucket, last.Key, last.Item
			}
			if (err != nil || len(items) > 0) && !yield(items, err) {
				return
			}
		}
	}
}

// planItems plans the hiding and the deletion of training items that are due. They come
// and go in the order of their keys: neighbours in a bucket are found by the same look
// into it. It adds those that are deleted to a digest.
func (j *Purge) planItems(ctx context.Context, now time.Time, items []sinks.TrainingItem, purged *sinks.ID) ([]Step, error) {
	t := j.Policy.Training
	steps := j.planMark(items)
	zone := j.Policy.TimeZone.Location()
	items = slices.DeleteFunc(items, func(i sinks.TrainingItem) bool { return DeletedFrom(t, i.MarkedAt, now, zone).After(now) })
	held, err := j.held(ctx, now, items)
	if err != nil {
		return nil, err
	}
	steps = slices.Grow(steps, len(items))
	reasons := itemReasons{}
	for _, item := range items {
		w, _ := t.Window(config.Trigger(item.Rule))
		s := Step{
			Action: sinks.ActionPurgeItem, Bucket: unique.Make(item.Bucket).Value(), Item: item.Item, Rule: sinks.Rule(w.Trigger), Clause: w.Clause,
			Due:    w.Keep.After(item.Since, zone),
			Reason: reasons.of(item.Rule, sinks.DayOf(item.Since)),
			Bytes:  item.Bytes,
		}
		s.ID = sinks.HashID(j.Policy.Name, j.Policy.Version, string(s.Action), item.Item.String(), string(item.Rule))
		if held[item.Item] {
			s.Blocked = underHold
		} else if _, ok := j.Buckets[item.Bucket]; !ok {
			s.Blocked = "the settings name no bucket " + item.Bucket
		}
		*purged = sinks.HashID(purged.String(), item.Item.String())
		steps = append(steps, s)
	}
	return steps, nil
}

// TrainingCutoffs returns since when the event of each rule for training items must
// have happened for an item to be due at now.
func TrainingCutoffs(p *config.Policy, now time.Time) sinks.TrainingCutoffs {
	cutoffs := sinks.TrainingCutoffs{}
	if p.Training == nil {
		return cutoffs
	}
	for _, w := range p.Training.Retention {
		cutoffs[sinks.Rule(w.Trigger)] = w.Keep.Before(now, p.TimeZone.Location())
	}
	return cutoffs
}

// DeletedFrom returns from when an item may be deleted that was marked at a time, or
// will be at now, if it is not.
func DeletedFrom(t *config.Training, marked, now time.Time, zone *time.Location) time.Time {
	if marked.IsZero() {
		marked = now
	}
	return t.Grace.After(marked, zone)
}

// planMark plans to hide the items that are due and not hidden yet, by each rule those
// that are due by it.
func (j *Purge) planMark(items []sinks.TrainingItem) (steps []Step) {
	byRule := map[sinks.Rule]*Step{}
	sets := map[sinks.Rule]sinks.ID{}
	for _, item := range items {
		if !item.MarkedAt.IsZero() {
			continue
		}
		s := byRule[item.Rule]
		if s == nil {
			w, _ := j.Policy.Training.Window(config.Trigger(item.Rule))
			s = &Step{Action: sinks.ActionMarkItems, Rule: item.Rule, Clause: w.Clause, Reason: itemReasonWords[item.Rule] + " and not hidden yet"}
			byRule[item.Rule] = s
		}
		sets[item.Rule] = sinks.HashID(sets[item.Rule].String(), item.Item.String(), string(item.Rule))
		s.Rows, s.Bytes = s.Rows+1, s.Bytes+item.Bytes
	}
	for _, rule := range sinks.TrainingRules {
		if s := byRule[rule]; s != nil {
			s.ID = sinks.HashID(j.Policy.Name, j.Policy.Version, string(s.Action), sets[rule].String())
			steps = append(steps, *s)
		}
	}
	return steps
}

// markItems hides the items that are due by the step's rule.
func (j *Purge) markItems(ctx context.Context, in Session, s Step) Outcome {
	marked, err := j.Register.MarkDueItems(ctx, in.AsOf, TrainingCutoffs(j.Policy, in.AsOf), s.Rule)
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("purge.marked")
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountBefore: marked}}
	if marked == 0 {
		o.Result = sinks.ResultUnchanged
	}
	o.reached(sinks.StageHidden)
	return o
}

// underHold is why an item waits that is under legal hold.
const underHold = "it is under legal hold"

// held returns which of the items are under legal hold.
func (j *Purge) held(ctx context.Context, now time.Time, items []sinks.TrainingItem) (map[sinks.ID]bool, error) {
	if j.Holds == nil || len(items) == 0 {
		return nil, nil
	}
	ids := make([]sinks.ID, len(items))
	for i := range items {
		ids[i] = items[i].Item
	}
	return j.Holds.HeldItems(ctx, now, ids)
}

// itemReasons are the reasons of steps in words. Many items have the same.
type itemReasons map[itemReason]string

type itemReason struct {
	rule sinks.Rule
	day  sinks.Day
}

var itemReasonWords = map[sinks.Rule]string{
	sinks.RulePurposeCompleted: "its last purpose was complete",
	sinks.RuleConsentWithdrawn: "consent was withdrawn",
	sinks.RuleConsentAbsent:    "stored without consent",
	sinks.RuleChildUnconfirmed: "stored without the consent that a child's image takes,",
	sinks.RuleErasure:          "erasure was asked for",
	sinks.RuleUploaded:         "uploaded or restored",
}

func (r itemReasons) of(rule sinks.Rule, day sinks.Day) string {
	reason, known := r[itemReason{rule, day}]
	if !known {
		reason = fmt.Sprintf("%s on %s", itemReasonWords[rule], day)
		r[itemReason{rule, day}] = reason
	}
	return reason
}

// strayConsents is how long a consent is kept for an object that the register does
// not know: its registration may be on the way, or it was purged before the
// consent was.
const strayConsents = 90 * 24 * time.Hour

// planForget plans the deletion of the register's rows about purged items: those
// purged before, and those that are about to be.
func (j *Purge) planForget(ctx context.Context, now time.Time, about sinks.ID) ([]Step, error) {
	if j.Policy.Training == nil {
		return nil, nil
	}
	rows, set, err := j.Register.Forgettable(ctx, now.Add(-strayConsents))
	if err != nil {
		return nil, fmt.Errorf("plan training register: %w", err)
	}
	if rows == 0 && about.IsZero() {
		return nil, nil
	}
	return []Step{{
		ID:     sinks.HashID(string(sinks.ActionForgetItems), set.String(), about.String()),
		Action: sinks.ActionForgetItems, Clause: j.Policy.Training.Clause, Rows: rows,
		Reason: "what the register says about purged items",
	}}, nil
}

// purgeItems deletes training items with their derivatives. A hold that has come
// since the plan keeps them.
func (j *Purge) purgeItems(ctx context.Context, in Session, steps []Step) []Outcome {
	ids := make([]sinks.ID, len(steps))
	for i, s := range steps {
		ids[i] = s.Item
	}
	items, err := j.Register.Items(ctx, ids)
	if err != nil {
		return failAll(steps, err)
	}
	buried, err := j.buried(ctx, ids, items)
	if err != nil {
		return failAll(steps, err)
	}
	var held map[sinks.ID]bool
	if j.Holds != nil {
		if held, err = j.Holds.HeldItems(ctx, in.AsOf, ids); err != nil {
			return failAll(steps, err)
		}
	}
	maps.DeleteFunc(items, func(id sinks.ID, _ sinks.TrainingItem) bool { return held[id] })
	digest, err := j.objectDigest()
	if err != nil {
		return failAll(steps, err)
	}
	derived, failed := j.emptyBuckets(ctx, items, buried)
	sinks.Failpoint("purge.verified")
	var purged Outcome // its stages are those of all items that are gone
	purged.reached(sinks.StageRemoved)
	purged.reached(sinks.StageVersionsGone)
	outcomes := make([]Outcome, len(steps))
	var stones []sinks.Tombstone
	for i, s := range steps {
		item, known := items[s.Item]
		stone, done := buried[s.Item]
		switch {
		case done:
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged, Counts: itemCounts(stone), Object: stone.Object}
		case held[s.Item]:
			outcomes[i] = kept(s, fmt.Errorf("%w: %s", sinks.ErrConflict, underHold))
		case !known:
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultAbandoned}
		case failed[s.Item] != nil:
			outcomes[i] = kept(s, failed[s.Item])
		default:
			stone = sinks.Tombstone{
				Item: item.Item, Object: digest(item), Rule: s.Rule, Bytes: item.Bytes, Objects: 1 + uint64(len(item.Derivatives)) + derived[item.Item],
				UploadedAt: item.UploadedAt, PurgedAt: time.Now().UTC(), Models: item.Models,
			}
			stones = append(stones, stone)
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone, Counts: itemCounts(stone), Stages: purged.Stages, Object: stone.Object}
		}
	}
	if len(stones) > 0 {
		if err := j.Register.PutTombstones(ctx, stones); err != nil {
			return failAll(steps, err)
		}
	}
	sinks.Failpoint("purge.buried")
	return outcomes
}

// buried returns the tombstones of those of the ids that an earlier run has purged: what the
// register says about them may have been forgotten since.
func (j *Purge) buried(ctx context.Context, ids []sinks.ID, items map[sinks.ID]sinks.TrainingItem) (map[sinks.ID]sinks.Tombstone, error) {
	done := slices.DeleteFunc(slices.Clone(ids), func(id sinks.ID) bool {
		item, known := items[id]
		return known && !item.Buried
	})
	if len(done) == 0 {
		return nil, nil
	}
	return j.Register.Tombstones(ctx, done)
}

// objectDigest returns what makes the digests of tombstones.
func (j *Purge) objectDigest() (func(sinks.TrainingItem) sinks.Digest, error) {
	if j.Ledgers == nil {
		return func(sinks.TrainingItem) sinks.Digest { return sinks.Digest{} }, nil
	}
	key, err := j.Ledgers.Secret(sinks.TombstoneLedger)
	return func(item sinks.TrainingItem) sinks.Digest {
		return sinks.ObjectDigest(key.Opening(item.Item), item.Bucket, item.Key)
	}, err
}

// emptyBuckets deletes the objects of the items that have no tombstone yet. It returns
// how many objects went with each because a rule says that they were made from it, and
// why some items are still there.
func (j *Purge) emptyBuckets(ctx context.Context, items map[sinks.ID]sinks.TrainingItem, buried map[sinks.ID]sinks.Tombstone) (derived map[sinks.ID]uint64, failed map[sinks.ID]error) {
	byBucket := map[string][]sinks.TrainingItem{}
	for _, item := range items {
		if _, done := buried[item.Item]; !done {
			byBucket[item.Bucket] = append(byBucket[item.Bucket], item)
		}
	}
	derived, failed = map[sinks.ID]uint64{}, map[sinks.ID]error{}
	for name, some := range byBucket {
		bucket, ok := j.Buckets[name]
		if ok {
			made := newDeriving(j, name, some)
			made.clear(ctx)
			maps.Copy(failed, empty(ctx, bucket, some))
			made.clear(ctx) // nothing more can be made of what is gone
			maps.Copy(failed, made.failed)
			maps.Copy(derived, made.gone)
			continue
		}
		for _, item := range some {
			failed[item.Item] = fmt.Errorf("the settings name no bucket %q", name)
		}
	}
	return derived, failed
}

// kept is the outcome of a step whose item is still there. The step stays due.
func kept(s Step, err error) Outcome {
	o := failed(s, err)
	var locked *sinks.LockedError
	if errors.As(err, &locked) {
		o.LockedUntil = locked.Until
	}
	return o
}

func itemCounts(t sinks.Tombstone) map[sinks.Count]uint64 {
	return map[sinks.Count]uint64{sinks.CountObjects: 1, sinks.CountDerivatives: t.Objects - 1, sinks.CountBytes: t.Bytes}
}

// forget deletes what the register says about purged items.
func (j *Purge) forget(ctx context.Context, in Session, s Step) Outcome {
	rows, _, err := j.Register.Forgettable(ctx, in.AsOf.Add(-strayConsents))
	if err != nil {
		return failed(s, err)
	}
	if rows == 0 {
		return Outcome{Step: s, Result: sinks.ResultUnchanged}
	}
	left, err := j.Register.Forget(ctx, in.AsOf.Add(-strayConsents))
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("purge.forgotten")
	o := absent(s, left)
	o.Counts = map[sinks.Count]uint64{sinks.CountBefore: rows}
	return o
}
