package jobs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// expiringFields returns, for the columns of a dataset whose values go before its rows do,
// up to which day they are due at now.
func expiringFields(d *config.Dataset, now time.Time, zone *time.Location) map[string]sinks.Day {
	fields := map[string]sinks.Day{}
	for i := range d.Columns {
		if e := d.Columns[i].Expires; e != nil {
			fields[d.Columns[i].Name] = firstDayKept(&config.Window{Keep: e.Keep}, now, zone)
		}
	}
	return fields
}

// planFields plans a step for each partition that has values past the window of their
// column.
func (j *Purge) planFields(ctx context.Context, now time.Time) ([]Step, error) {
	zone := j.Policy.TimeZone.Location()
	var steps []Step
	var errs *multierror.Error
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		fields := expiringFields(d, now, zone)
		if len(fields) == 0 {
			continue
		}
		filled, err := j.Personal.Filled(ctx, d.Name, fields, now)
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("plan %s: %w", d.Name, err))
		}
		byDay := func(a, b sinks.Partition) int {
			return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Replica, b.Replica), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Batch, b.Batch))
		}
		for _, p := range slices.SortedFunc(maps.Keys(filled), byDay) {
			steps = append(steps, j.fieldStep(d, p, filled[p], fields, zone))
		}
	}
	return steps, errs.ErrorOrNil()
}

// fieldStep names the columns that are due, and the clause of the one that was due first.
func (j *Purge) fieldStep(d *config.Dataset, p sinks.Partition, rows uint64, fields map[string]sinks.Day, zone *time.Location) Step {
	s := Step{Action: sinks.ActionExpireFields, Dataset: d.Name, Partition: &p, Rule: sinks.RuleEventTime, Rows: rows}
	var names []string
	for i := range d.Columns {
		c := &d.Columns[i]
		if c.Expires == nil || p.Day >= fields[c.Name] {
			continue
		}
		names = append(names, fmt.Sprintf("%s %s", c.Name, c.Expires.Keep))
		if due := dueAt(&config.Window{Keep: c.Expires.Keep}, p.Day, zone); s.Due.IsZero() || due.Before(s.Due) {
			s.Due, s.Clause = due, c.Expires.Clause
		}
	}
	s.Reason = fmt.Sprintf("kept from %s: %s", p.Day, strings.Join(names, ", "))
	s.ID = sinks.HashID(j.Policy.Name, j.Policy.Version, string(s.Action), d.Name, p.String(), s.Reason, fmt.Sprint(rows))
	return s
}

// expireFields empties the columns in which values are due. The partitions are sealed
// first: what comes late goes into another batch, and is looked at by itself.
func (j *Purge) expireFields(ctx context.Context, in Session, steps []Step) []Outcome {
	d, ok := j.Policy.Dataset(steps[0].Dataset)
	if !ok {
		return failAll(steps, fmt.Errorf("the policy has no dataset %q any more", steps[0].Dataset))
	}
	fields := expiringFields(d, in.AsOf, j.Policy.TimeZone.Location())
	unlock, err := j.Locks.Lock(ctx, sealLock(d.Name))
	if err != nil {
		return failAll(steps, err)
	}
	err = j.Personal.Seal(ctx, d.Name, partitionsOf(steps)) // rows of people under hold may come late
	unlock()
	if err != nil {
		return failAll(steps, err)
	}
	left, err := j.clear(ctx, d.Name, steps, fields, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("purge.cleared")
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		outcomes[i] = absent(s, left[*s.Partition])
		outcomes[i].Counts = map[sinks.Count]uint64{sinks.CountBefore: s.Rows}
	}
	return outcomes
}

// clear empties columns while none of their rows are being anonymised.
func (j *Purge) clear(ctx context.Context, dataset string, steps []Step, fields map[string]sinks.Day, asOf time.Time) (map[sinks.Partition]sinks.Absence, error) {
	unlock, err := j.Locks.Lock(ctx, fieldsLock(dataset))
	if err != nil {
		return nil, err
	}
	defer unlock()
	return j.Personal.Clear(ctx, dataset, partitionsOf(steps), fields, asOf)
}

// fieldsLock names the lock that who empties columns of a dataset takes alone, and who
// reads its rows more than once shares.
func fieldsLock(dataset string) string { return "fields-" + dataset }
