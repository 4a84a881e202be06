package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// dueAt returns since when a day's rows are due: when the window has passed for
// the last instant of the day, counted in the policy's time zone.
func dueAt(w *config.Window, day sinks.Day, zone *time.Location) time.Time {
	return w.Keep.After(day.End(), zone)
}

// firstDayKept returns the earliest day whose rows are not due at now. It is the
// same question as dueAt, asked the other way round: because months differ in
// length, the answer is looked for around the day that counting back gives.
func firstDayKept(w *config.Window, now time.Time, zone *time.Location) sinks.Day {
	day := sinks.DayOf(w.Keep.Before(now, zone)) - 4
	for !dueAt(w, day, zone).After(now) {
		day++
	}
	return day
}

// planDatasets plans the datasets whose days go by an action of their event time's
// window. What meets one dataset does not keep the others from being planned.
func planDatasets(ctx context.Context, p *config.Policy, tables sinks.PersonalTables, what config.Action, action sinks.Action, now time.Time) ([]Step, error) {
	var steps []Step
	var errs *multierror.Error
	for i := range p.Datasets {
		d := &p.Datasets[i]
		w, ok := d.Window(config.EventTime)
		if !ok || w.Action != what {
			continue
		}
		more, err := expired(ctx, p, tables, d.Name, w, action, now)
		if err != nil {
			errs = multierror.Append(errs, err)
		}
		if err := askAboveShare(ctx, tables, d, more); err != nil {
			errs = multierror.Append(errs, err)
			continue
		}
		steps = append(steps, more...)
	}
	return steps, errs.ErrorOrNil()
}

// expired plans one step for each partition of a dataset in which rows are past their
// window. Rows under a legal hold are not due, and those of organisations with a window
// of their own are due by that. An error of some nodes comes with the steps of the others.
func expired(ctx context.Context, p *config.Policy, tables sinks.PersonalTables, dataset string, w *config.Window, action sinks.Action, now time.Time) ([]Step, error) {
	zone := p.TimeZone.Location()
	e, reach := exemptionOf(w, now, zone)
	stats, met := tables.Partitions(ctx, dataset, reach)
	if met != nil {
		met = fmt.Errorf("plan %s: %w", dataset, met)
	}
	if len(stats) == 0 {
		return nil, met
	}
	exempt, err := tables.Exempt(ctx, dataset, partitionsIn(stats), e)
	if err != nil {
		return nil, errors.Join(met, fmt.Errorf("plan %s: %w", dataset, err))
	}
	steps := make([]Step, 0, len(stats))
	for i, s := range stats {
		of, mixed := exempt[s.Partition]
		if mixed && s.Rows > 0 && of.Stays() >= s.Rows && of.Moved == 0 {
			continue // none of it is due
		}
		due := dueSince(w, s.Day, of, now, zone)
		step := Step{
			ID:     sinks.HashID(p.Name, p.Version, string(action), dataset, s.String(), due.Format(time.RFC3339)),
			Action: action, Dataset: dataset, Partition: &stats[i].Partition,
			Rule: sinks.Rule(w.Trigger), Clause: w.Clause, Due: due,
			Reason: fmt.Sprintf("kept %s from %s", w.Keep, s.Day),
			Rows:   s.Rows - of.Stays(), Subjects: s.Subjects, Bytes: s.Bytes, Held: of.Held, KeptLonger: of.Later,
		}
		if of.Held > 0 {
			step.Reason += fmt.Sprintf("; %d more rows are under a legal hold", of.Held)
		}
		if of.Later > 0 {
			step.Reason += fmt.Sprintf("; the window of %d more rows has not passed", of.Later)
		}
		step.Blocked = incomplete(s)
		steps = append(steps, step)
	}
	return steps, met
}

// incomplete says why a partition has to wait, if it has to.
func incomplete(s sinks.PartitionStats) string {
	switch {
	case s.Unfinished > 0:
		return fmt.Sprintf("%d of its rows come from a file whose ingest was interrupted: run ingest again first", s.Unfinished)
	case s.Detached > 0:
		return fmt.Sprintf("%d of its parts are detached and hold rows that cannot be seen: attach them, or drop them with ALTER TABLE … DROP DETACHED PARTITION", s.Detached)
	}
	return ""
}

func partitionsIn(stats []sinks.PartitionStats) []sinks.Partition {
	partitions := make([]sinks.Partition, len(stats))
	for i, s := range stats {
		partitions[i] = s.Partition
	}
	return partitions
}

// samePartitions returns how many of the steps, from the first, concern
// partitions of the same dataset on the same node, up to limits of steps and rows.
func samePartitions(steps []Step, maxSteps int, maxRows uint64) int {
	var rows uint64
	for i, s := range steps {
		rows += s.Rows
		if i > 0 && (i == maxSteps || rows > maxRows || s.Action != steps[0].Action || s.Dataset != steps[0].Dataset || s.node() != steps[0].node()) {
			return i
		}
	}
	return len(steps)
}

// partitionsOf returns the partitions that steps concern.
func partitionsOf(steps []Step) []sinks.Partition {
	partitions := make([]sinks.Partition, len(steps))
	for i, s := range steps {
		partitions[i] = *s.Partition
	}
	return partitions
}

// failAll gives all steps the same failure.
func failAll(steps []Step, err error) []Outcome {
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		outcomes[i] = failed(s, err)
	}
	return outcomes
}
