package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// exemptionOf says which rows of a dataset are not due at now by a window, and from
// which day on nothing is.
func exemptionOf(w *config.Window, now time.Time, zone *time.Location) (e sinks.Exemption, reach sinks.Day) {
	e = sinks.Exemption{AsOf: now, Before: firstDayKept(w, now, zone)}
	reach = e.Before
	for i := range w.Organisations {
		own := &w.Organisations[i]
		day := firstDayKept(own.Window(), now, zone)
		reach = max(reach, day)
		if e.Organisations == nil {
			e.Organisations = map[string]sinks.Day{}
		}
		for _, name := range own.Names {
			e.Organisations[name] = day
		}
	}
	return e, reach
}

// exemption says which rows of a dataset are not due as of a run, by the window from
// the time of the event.
func exemption(p *config.Policy, dataset string, asOf time.Time) (sinks.Exemption, error) {
	if dataset == sinks.QuarantineDataset {
		e, _ := exemptionOf(quarantineWindow(p), asOf, p.TimeZone.Location())
		return e, nil
	}
	d, ok := p.Dataset(dataset)
	if !ok {
		return sinks.Exemption{}, fmt.Errorf("the policy has no dataset %q any more", dataset)
	}
	w, ok := d.Window(config.EventTime)
	if !ok {
		return sinks.Exemption{}, fmt.Errorf("the dataset %q has no window from %s any more", dataset, config.EventTime)
	}
	e, _ := exemptionOf(w, asOf, p.TimeZone.Location())
	return e, nil
}

// dueSince returns since when a partition has been due: the earliest time by the
// windows of its rows that are.
func dueSince(w *config.Window, day sinks.Day, of sinks.Exempt, now time.Time, zone *time.Location) time.Time {
	due := dueAt(w, day, zone)
	if of.Due == nil {
		return due
	}
	var earliest time.Time
	consider := func(w *config.Window) {
		at := dueAt(w, day, zone)
		if of.Due[firstDayKept(w, now, zone)] > 0 && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	consider(w)
	for i := range w.Organisations {
		consider(w.Organisations[i].Window())
	}
	if earliest.IsZero() { // of the rows that were separated twice, none is left
		return due
	}
	return earliest
}

// separate moves the rows of partitions that may not be touched out of the way. Of
// partitions in which nothing is due it returns none: those are left as they are.
func separate(ctx context.Context, tables sinks.PersonalTables, dataset string, partitions []sinks.Partition, e sinks.Exemption) (due []sinks.Partition, exempt map[sinks.Partition]sinks.Exempt, err error) {
	exempt, err = tables.Exempt(ctx, dataset, partitions, e)
	if err != nil {
		return nil, nil, err
	}
	var mixed []sinks.Partition
	for _, p := range partitions {
		of := exempt[p]
		switch {
		case of.Stays() == 0:
			due = append(due, p)
		case len(of.Due) > 0:
			mixed, due = append(mixed, p), append(due, p)
		case of.Moved > 0: // all that is left to do is to end what was interrupted
			mixed = append(mixed, p)
		}
	}
	if len(mixed) == 0 {
		return due, exempt, nil
	}
	return due, exempt, tables.Separate(ctx, dataset, mixed, e)
}
