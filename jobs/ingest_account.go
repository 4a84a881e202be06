package jobs

import (
	"cmp"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

// account counts the records of one source, by day of event time.
type account struct {
	counts map[dayKey]*sinks.SourceDay
	key    dayKey
	last   *sinks.SourceDay // the counts of key: records of one day come together
}

type dayKey struct {
	dated bool
	day   sinks.Day
}

func keyOf(day sinks.Day, dated bool) dayKey {
	if !dated {
		return dayKey{}
	}
	return dayKey{true, day}
}

// of returns the counts for a day, or for records without a date.
func (a *account) of(day sinks.Day, dated bool) *sinks.SourceDay { return a.at(keyOf(day, dated)) }

func (a *account) at(key dayKey) *sinks.SourceDay {
	if a.last != nil && a.key == key {
		return a.last
	}
	d := a.counts[key]
	if d == nil {
		d = &sinks.SourceDay{Dated: key.dated, Day: key.day}
		if a.counts == nil {
			a.counts = map[dayKey]*sinks.SourceDay{}
		}
		a.counts[key] = d
	}
	a.key, a.last = key, d
	return d
}

// merge adds the counts of another account.
func (a *account) merge(b *account) {
	for key, n := range b.counts {
		d := a.at(key)
		d.Read, d.Stored, d.Quarantined = d.Read+n.Read, d.Stored+n.Stored, d.Quarantined+n.Quarantined
		d.Refused, d.Duplicate = d.Refused+n.Refused, d.Duplicate+n.Duplicate
	}
}

// days returns the counts, undated ones first, then by day.
func (a *account) days() []sinks.SourceDay {
	days := make([]sinks.SourceDay, 0, len(a.counts))
	for _, d := range a.counts {
		days = append(days, *d)
	}
	slices.SortFunc(days, func(x, y sinks.SourceDay) int {
		if x.Dated != y.Dated {
			if y.Dated {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Day, y.Day)
	})
	return days
}

// total adds an account up.
func total(days []sinks.SourceDay) map[sinks.Count]uint64 {
	counts := map[sinks.Count]uint64{}
	for _, d := range days {
		counts[sinks.CountRead] += d.Read
		counts[sinks.CountStored] += d.Stored
		counts[sinks.CountQuarantined] += d.Quarantined
		counts[sinks.CountRefused] += d.Refused
		counts[sinks.CountDuplicate] += d.Duplicate
	}
	return counts
}
