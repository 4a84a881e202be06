package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// InEffect reports whether a version of the policy applies at a time.
func InEffect(p *config.Policy, at time.Time) bool {
	return !p.EffectiveFrom.Start(p.TimeZone.Location()).After(at)
}

// AwaitEffect blocks steps that a version of the policy asks for which does not apply
// yet: a shorter window that was announced for a day does nothing before it (C17).
func AwaitEffect(p *config.Policy, asOf time.Time, steps []Step) {
	if InEffect(p, asOf) {
		return
	}
	for i := range steps {
		if steps[i].Blocked == "" {
			steps[i].Asks = false
			steps[i].Blocked = fmt.Sprintf("version %s of the policy takes effect on %s; carry out the version before it until then", p.Version, p.EffectiveFrom)
		}
	}
}

// Affected counts, for a dataset whose window from the time of the event differs between
// two versions, the rows that are due at a time by the one and not by the other, and the
// people in them, each once for each day.
func Affected(ctx context.Context, tables sinks.PersonalTables, before, after *config.Policy, dataset string, at time.Time) (rows, people uint64, err error) {
	days := make([]sinks.Day, 2)
	for i, p := range []*config.Policy{before, after} {
		d, known := p.Dataset(dataset)
		if !known {
			return 0, 0, nil
		}
		w, has := d.Window(config.EventTime)
		if !has {
			return 0, 0, nil
		}
		days[i] = firstDayKept(w, at, p.TimeZone.Location())
	}
	stats, err := tables.Partitions(ctx, dataset, max(days[0], days[1]))
	if err != nil {
		return 0, 0, err
	}
	for _, s := range stats {
		if s.Day >= min(days[0], days[1]) && !s.Again() {
			rows, people = rows+s.Rows, people+s.Subjects
		}
	}
	return rows, people, nil
}
