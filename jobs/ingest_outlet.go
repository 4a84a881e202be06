package jobs

import (
	"context"
	"maps"
	"slices"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// outlet is the way of one dataset's rows from the decoder to the store.
type outlet struct {
	reader    *sourceReader
	dataset   string
	rows      *sinks.Block   // of the current group
	suspects  *sinks.Block   // those of which the store may hold a copy
	spares    []*sinks.Block // empty, for the rows of further groups
	stored    dayCounts
	scattered scattered
	admitted  sinks.ID // stands for the records of the current group, duplicates among them

	covered sinks.Day // the day that the filter was last found to cover, plus 1
	flags   []bool
	on      []dayKey // of the quarantine: for the account, the event's day of each row
}

func newOutlet(r *sourceReader, rows *sinks.Block) *outlet {
	o := &outlet{reader: r, dataset: rows.Dataset, rows: rows, suspects: rows.Clone()}
	if d, ok := r.Policy.Dataset(rows.Dataset); ok {
		if _, byDay := d.Window(config.EventTime); byDay {
			o.scattered.rows = rows.Clone()
		}
	}
	return o
}

// quarantines reports whether this is the way of the lines that cannot be read.
func (o *outlet) quarantines() bool { return o == o.reader.quarantine }

// spare returns an empty block of the outlet's columns.
func (o *outlet) spare() *sinks.Block {
	if n := len(o.spares); n > 0 {
		b := o.spares[n-1]
		o.spares = o.spares[:n-1]
		return b
	}
	return o.rows.Clone()
}

// leaving calls each with the rows that are on their way to the store: it may hold
// them already, or not yet.
func (o *outlet) leaving(each func(*sinks.Block)) {
	if o.scattered.rows != nil {
		each(o.scattered.rows)
	}
	for _, g := range o.reader.storing {
		for _, d := range g.leaving {
			if d.from == o {
				each(d.rows)
			}
		}
	}
}

// settle decides for each row of the group whether it is a duplicate. What is left
// in rows is to be stored.
func (o *outlet) settle(ctx context.Context) error {
	o.admitted = sinks.CombineIDs(o.rows.Records)
	if o.rows.Rows() == 0 {
		return nil
	}
	o.scattered.choose(o.rows)
	if err := o.findDuplicates(ctx); err != nil {
		return err
	}
	o.flags = o.scattered.hold(o.rows, o.flags)
	return nil
}

// findDuplicates leaves in rows what is to be stored.
func (o *outlet) findDuplicates(ctx context.Context) error {
	if err := o.setApart(ctx); err != nil {
		return err
	}
	for _, day := range o.rows.Days {
		o.reader.account.of(day, true).Stored++
		o.stored.add(day)
	}
	if o.suspects.Rows() == 0 {
		return nil
	}
	if err := o.resolve(ctx); err != nil {
		return err
	}
	o.suspects.Reset()
	return nil
}

// setApart moves the rows of which a copy may be stored.
func (o *outlet) setApart(ctx context.Context) error {
	f := &o.reader.known
	if !f.follows(o.dataset) {
		if !o.hasMany() {
			o.rows.Swap(o.suspects) // all of them
			return nil
		}
		f.follow(o.dataset)
		o.leaving(f.remember)
	}
	some := false
	o.flags = o.flags[:0]
	for i, record := range o.rows.Records {
		if day := o.rows.Days[i]; o.covered != day+1 {
			if err := f.cover(ctx, o.reader.Intake, o.dataset, day, sinks.Day(o.reader.Policy.DeduplicationDays())); err != nil {
				return err
			}
			o.covered = day + 1
		}
		suspect := f.add(record)
		some = some || suspect
		o.flags = append(o.flags, suspect)
	}
	if some {
		o.rows.Move(o.flags, o.suspects)
	}
	return nil
}

// resolve finds out for each suspect whether it is a duplicate: known from another
// place. What is known from this very place was stored before an interruption.
// Those that are not stored yet go back to the rows.
func (o *outlet) resolve(ctx context.Context) error {
	b, r := o.suspects, o.reader
	first, last := o.horizon()
	known, err := r.Intake.Known(ctx, o.dataset, b.Records, first, last)
	if err != nil {
		return err
	}
	here := among(b.Records, o.rows.Records)
	o.leaving(func(l *sinks.Block) {
		for i, id := range l.Records {
			if _, asked := here[id]; asked {
				known[id] = sinks.RowOrigin{Source: r.source, Position: l.Positions[i]}
			}
		}
	})
	o.flags = o.flags[:0]
	for i, id := range b.Records {
		mine := sinks.RowOrigin{Source: r.source, Position: b.Positions[i]}
		origin, found := known[id]
		duplicate := found && origin != mine || here[id]
		o.count(i, duplicate)
		o.flags = append(o.flags, !found && !duplicate)
		if !found {
			known[id] = mine
		}
	}
	if o.rows.Rows() > 0 {
		b.Move(o.flags, o.rows)
	} else {
		b.Filter(o.flags)
		b.Swap(o.rows)
	}
	return nil
}

// manySuspects is how many rows of a group that others may follow are better asked about
// with the filter.
const manySuspects = 8 << 10

// hasMany reports whether the source is better read with the filter.
func (o *outlet) hasMany() bool {
	return o.rows.Rows() >= manySuspects && o.reader.followed && !o.quarantines()
}

// among tells which of the records are found in list.
func among(records, list []sinks.ID) map[sinks.ID]bool {
	found := make(map[sinks.ID]bool, len(records))
	for _, id := range records {
		found[id] = false
	}
	for _, id := range list {
		if _, asked := found[id]; asked {
			found[id] = true
		}
	}
	return found
}

// horizon returns the days on which copies of the suspects are looked for.
func (o *outlet) horizon() (first, last sinks.Day) {
	if o.quarantines() {
		return 0, sinks.DayOf(o.reader.reading.now) + 1
	}
	first, last = slices.Min(o.suspects.Days), slices.Max(o.suspects.Days)
	horizon := sinks.Day(o.reader.Policy.DeduplicationDays())
	return max(first-horizon, 0), min(last+horizon, lastDay)
}

// count counts a suspect.
func (o *outlet) count(i int, duplicate bool) {
	key := keyOf(o.suspects.Days[i], true)
	if o.quarantines() {
		key = o.on[i]
	}
	if o.reader.decided != nil && duplicate {
		o.reader.decided(o.suspects.Positions[i], sinks.ReplayDuplicate)
	}
	switch d := o.reader.account.at(key); {
	case duplicate:
		d.Duplicate++
	case o.quarantines():
		d.Quarantined++
	default:
		d.Stored++
		o.stored.add(key.day)
	}
}

// dayCounts counts rows by day.
type dayCounts struct {
	days map[sinks.Day]*uint64
	day  sinks.Day
	last *uint64 // the count of day
}

func (c *dayCounts) add(day sinks.Day) {
	if c.last == nil || c.day != day {
		if c.days == nil {
			c.days = map[sinks.Day]*uint64{}
		}
		if c.days[day] == nil {
			c.days[day] = new(uint64)
		}
		c.day, c.last = day, c.days[day]
	}
	*c.last++
}

// bounds returns the first and the last day; there must be one.
func (c *dayCounts) bounds() (first, last sinks.Day) {
	days := slices.Collect(maps.Keys(c.days))
	return slices.Min(days), slices.Max(days)
}
