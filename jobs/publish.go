package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// onlyHeld exempts the rows under legal hold, of which those of people who have asked
// for restriction are some, and no others: no window counts.
func onlyHeld(asOf time.Time) sinks.Exemption {
	return sinks.Exemption{AsOf: asOf, Before: sinks.MaxDay}
}

// planEarly plans what is published before its window has passed: partitions of days
// that are closed, and those published before of which rows are gone since. What is due
// is published in any case.
func (j *Anonymise) planEarly(ctx context.Context, now time.Time, due []Step) ([]Step, error) {
	var steps []Step
	var errs *multierror.Error
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		if d.Publish == nil || d.Publish.After.IsZero() {
			continue
		}
		e := &earlyPlan{Anonymise: j, dataset: d, now: now, due: map[sinks.Partition]bool{}}
		for _, s := range due {
			if s.Dataset == d.Name {
				e.due[*s.Partition] = true
			}
		}
		for _, plan := range []func(context.Context) ([]Step, error){e.closed, e.stale} {
			more, err := plan(ctx)
			if err != nil {
				errs = multierror.Append(errs, fmt.Errorf("plan %s: %w", d.Name, err))
			}
			steps = append(steps, more...)
		}
	}
	return steps, errs.ErrorOrNil()
}

// earlyPlan plans the early publication of one dataset.
type earlyPlan struct {
	*Anonymise
	dataset *config.Dataset
	now     time.Time
	due     map[sinks.Partition]bool // those whose window has passed
}

// closed plans the partitions that have not been published. One that holds too few people
// for a single class waits: others may come to it.
func (e *earlyPlan) closed(ctx context.Context) ([]Step, error) {
	d, zone := e.dataset, e.Policy.TimeZone.Location()
	w := &config.Window{Keep: d.Publish.After}
	stats, met := e.Publish.Unpublished(ctx, d.Name, firstDayKept(w, e.now, zone))
	stats = slices.DeleteFunc(stats, func(s sinks.PartitionStats) bool { return e.due[s.Partition] || s.Subjects < uint64(d.Publish.K) })
	exempt, err := e.Personal.Exempt(ctx, d.Name, partitionsIn(stats), onlyHeld(e.now))
	if err != nil {
		return nil, errors.Join(met, err)
	}
	var steps []Step
	for _, s := range stats {
		of := exempt[s.Partition]
		if s.Rows == 0 || of.Stays() >= s.Rows && of.Moved == 0 {
			continue
		}
		step := e.step(s.Partition, s.Rows-of.Stays(), dueAt(w, s.Day, zone), fmt.Sprintf("published %s after its day", d.Publish.After))
		step.Subjects, step.Bytes, step.Held, step.Blocked = s.Subjects, s.Bytes, of.Held, incomplete(s)
		steps = append(steps, step)
	}
	return steps, met
}

// stale plans to look again at publications whose personal rows have become fewer, as by
// an erasure. Where none is left there are no people to be counted.
func (e *earlyPlan) stale(ctx context.Context) ([]Step, error) {
	published, met := e.Publish.Early(ctx, e.dataset.Name)
	if len(published) == 0 {
		return nil, met
	}
	partitions := make([]sinks.Partition, len(published))
	for i := range published {
		partitions[i] = published[i].Partition
	}
	held, err := e.Personal.Holdings(ctx, e.dataset.Name, partitions)
	if err != nil {
		return nil, errors.Join(met, err)
	}
	var steps []Step
	for _, p := range published {
		if n := held[p.Partition].Personal; n > 0 && n != p.Rows && !e.due[p.Partition] {
			step := e.step(p.Partition, n, time.Time{}, fmt.Sprintf("made of %d rows, of which %d are left", p.Rows, n))
			steps = append(steps, step)
		}
	}
	return steps, met
}

func (e *earlyPlan) step(p sinks.Partition, rows uint64, due time.Time, reason string) Step {
	return Step{
		ID:     sinks.HashID(e.Policy.Name, e.Policy.Version, string(sinks.ActionPublish), e.dataset.Name, p.String(), fmt.Sprint(rows)),
		Action: sinks.ActionPublish, Dataset: e.dataset.Name, Partition: &p, Clause: e.dataset.Clause, Due: due, Reason: reason, Rows: rows,
	}
}

// attemptEarly publishes partitions whose personal rows stay. What was published before
// is left as it is if every class holds enough people without those who are gone.
func (b *anonymiseBatch) attemptEarly(ctx context.Context, steps []Step) error {
	var todo []sinks.Partition
	for _, p := range partitionsOf(steps) {
		if !b.ended[p] {
			todo = append(todo, p)
		}
	}
	todo, err := b.confirm(ctx, todo)
	if err != nil {
		return err
	}
	verified, err := b.publish(ctx, todo)
	for _, pub := range verified {
		describe(b.outcome(pub.Partition), pub)
		b.ended[pub.Partition] = true
	}
	return err
}

// confirm looks at what was published before, and returns the partitions that are to be
// published: for the first time, or anew.
func (b *anonymiseBatch) confirm(ctx context.Context, partitions []sinks.Partition) ([]sinks.Partition, error) {
	records, held, err := b.found(ctx, partitions)
	if err != nil {
		return nil, err
	}
	var before []sinks.Partition
	todo := slices.DeleteFunc(slices.Clone(partitions), func(p sinks.Partition) bool {
		pub, known := records[p]
		switch n := held[p].Personal; {
		case n == 0 || known && (!pub.Early || pub.Rows == n): // another process has done it
			b.outcome(p).Result, b.ended[p] = sinks.ResultUnchanged, true
			return true
		case known:
			before = append(before, p)
			return true
		}
		return false
	})
	if len(before) == 0 {
		return todo, nil
	}
	staged, err := b.Publish.Stage(ctx, b.dataset, before)
	if err != nil {
		return nil, err
	}
	stands, err := staged.Stands(ctx)
	if err = errors.Join(err, staged.Discard(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	var confirmed []sinks.Publication
	for _, fresh := range staged.Publications() {
		p := fresh.Partition
		if !stands[p] {
			todo = append(todo, p)
			continue
		}
		pub := records[p]
		pub.Rows, pub.Subjects, pub.Step = fresh.Rows, fresh.Subjects, b.outcome(p).Step.ID
		confirmed = append(confirmed, pub)
		describe(b.outcome(p), pub)
		b.outcome(p).Result, b.ended[p] = sinks.ResultUnchanged, true
	}
	if len(confirmed) == 0 {
		return todo, nil
	}
	return todo, b.Publish.RecordPublications(ctx, confirmed)
}
