package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Rectify puts right what is held of a person (Article 16 GDPR): in every dataset that
// has the column, in all rows that have a value in it. Rows under a legal hold stay.
type Rectify struct {
	Policy *config.Policy
	Tables sinks.Rectification
	Locks  sinks.Locker
	Person sinks.Person      // its id is the request's
	Values map[string]string // by column
}

var _ Job = (*Rectify)(nil)

// ErrNotRectifiable means that a column cannot be put right; the error says why.
var ErrNotRectifiable = errors.New("cannot be rectified")

// Kind implements Job.
func (*Rectify) Kind() sinks.JobKind { return sinks.JobRectify }

// Batch implements Job.
func (*Rectify) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*Rectify) Parallel() int { return 1 }

// CheckRectifiable returns why the values of columns cannot be put right. Times and
// sorting keys decide where rows lie, and identifiers whose they are: a person with
// another identifier is another person.
func CheckRectifiable(p *config.Policy, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		found := false
		for i := range p.Datasets {
			d := &p.Datasets[i]
			c, has := d.Column(name)
			switch {
			case !has:
				continue
			case slices.Contains(d.Subject, name), name == d.Time, slices.Contains(d.OrderBy, name), name == d.Organisation:
				return fmt.Errorf("%w: %s tells the records of %s apart; erase, or send the records anew", ErrNotRectifiable, name, d.Name)
			case c.Derive != config.DeriveNone:
				return fmt.Errorf("%w: %s is derived from another field", ErrNotRectifiable, name)
			}
			found = true
		}
		if !found {
			return fmt.Errorf("%w: no dataset has a column %q", ErrNotRectifiable, name)
		}
	}
	return nil
}

// in returns the values for the columns that a dataset has.
func (j *Rectify) in(d *config.Dataset) map[string]string {
	values := maps.Clone(j.Values)
	maps.DeleteFunc(values, func(name, _ string) bool { _, has := d.Column(name); return !has })
	return values
}

// Plan implements Job: a step for each dataset in which something is wrong.
func (j *Rectify) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	if err := CheckRectifiable(j.Policy, j.Values); err != nil {
		return nil, err
	}
	var steps []Step
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		values := j.in(d)
		if len(values) == 0 || len(d.Subject) == 0 {
			continue
		}
		rows, err := j.Tables.CountUnrectified(ctx, d.Name, j.Person, values, now)
		if err != nil {
			return nil, err
		}
		if rows == 0 {
			continue
		}
		steps = append(steps, Step{
			ID:     sinks.HashID(string(sinks.ActionRectifyRows), j.Person.ID.String(), d.Name),
			Action: sinks.ActionRectifyRows, Dataset: d.Name, Item: j.Person.ID, Clause: j.Policy.RequestRule().Clause,
			Reason: "the person says that it is wrong", Rows: rows, Subjects: 1,
		})
	}
	return steps, nil
}

// Execute implements Job. What an interrupted run was told is not known any more: its
// command has to be repeated.
func (j *Rectify) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	s := steps[0]
	d, ok := j.Policy.Dataset(s.Dataset)
	if s.Action != sinks.ActionRectifyRows || s.Item != j.Person.ID || !ok {
		return []Outcome{{Step: s, Result: sinks.ResultAbandoned}}
	}
	for _, job := range []sinks.JobKind{sinks.JobAnonymise, sinks.JobPurge} { // they rewrite partitions
		unlock, err := j.Locks.Lock(ctx, string(job))
		if err != nil {
			return failAll(steps, err)
		}
		defer unlock()
	}
	rows, left, err := j.Tables.RectifyRows(ctx, s.Dataset, j.Person, j.in(d), in.AsOf)
	if err == nil && left > 0 {
		err = fmt.Errorf("%w: %d rows have still another value", sinks.ErrVerification, left)
	}
	if err != nil {
		return failAll(steps, err)
	}
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountBefore: rows}}
	o.reached(sinks.StageVerified)
	return []Outcome{o}
}
