package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// planSubjects plans the windows that run from what a subject did: closing the
// account, or being active for the last time. The cutoff is cut to the day, so
// that the step stays the same all day.
func (j *Purge) planSubjects(ctx context.Context, now time.Time) ([]Step, error) {
	var steps []Step
	var errs *multierror.Error
	today := sinks.DayOf(now).Start()
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		for _, w := range d.Retention {
			if w.Trigger != config.AccountClosed && w.Trigger != config.LastActivity {
				continue
			}
			s := Step{
				Action: sinks.ActionEraseSubjects, Dataset: d.Name, Rule: sinks.Rule(w.Trigger), Clause: w.Clause,
				Due:    w.Keep.Before(today, j.Policy.TimeZone.Location()),
				Reason: fmt.Sprintf("kept %s from %s", w.Keep, w.Trigger),
			}
			s.ID = sinks.HashID(j.Policy.Name, j.Policy.Version, string(s.Action), s.Dataset, string(s.Rule), s.Due.Format(time.RFC3339))
			cutoff, err := j.cutoff(s, now)
			if err != nil {
				errs = multierror.Append(errs, err)
				continue
			}
			due, err := j.Subjects.DueSubjects(ctx, d.Name, cutoff)
			if err != nil {
				errs = multierror.Append(errs, fmt.Errorf("plan %s: %w", d.Name, err))
				continue
			}
			if due.Rows == 0 {
				continue
			}
			s.Rows, s.Subjects = due.Rows, due.Subjects
			steps = append(steps, s)
		}
	}
	return steps, errs.ErrorOrNil()
}

// cutoff says whose rows a step concerns. The step's time is the instant at or
// before which the subject's event must have happened.
func (j *Purge) cutoff(s Step, asOf time.Time) (sinks.SubjectCutoff, error) {
	d, ok := j.Policy.Dataset(s.Dataset)
	if !ok {
		return sinks.SubjectCutoff{}, fmt.Errorf("the policy has no dataset %q any more", s.Dataset)
	}
	w, ok := d.Window(config.Trigger(s.Rule))
	if !ok {
		return sinks.SubjectCutoff{}, fmt.Errorf("the dataset %q has no window from %s any more", s.Dataset, s.Rule)
	}
	return sinks.SubjectCutoff{Rule: s.Rule, Before: s.Due, Event: w.Event, AsOf: asOf}, nil
}

// eraseSubjects deletes the rows of the subjects that are due.
func (j *Purge) eraseSubjects(ctx context.Context, in Session, s Step) Outcome {
	cutoff, err := j.cutoff(s, in.AsOf)
	if err != nil {
		return failed(s, err)
	}
	rows, left, err := j.Subjects.EraseSubjects(ctx, s.Dataset, cutoff)
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("purge.erased")
	if rows.Rows == 0 {
		return Outcome{Step: s, Result: sinks.ResultUnchanged}
	}
	o := absent(s, left)
	o.Counts = map[sinks.Count]uint64{sinks.CountBefore: rows.Rows, sinks.CountSubjects: rows.Subjects}
	return o
}
