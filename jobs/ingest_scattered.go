package jobs

import (
	"context"
	"slices"
	"strconv"

	"github.com/facesoft/lapse/sinks"
)

// scattered holds rows back that arrive late: those of days with few rows in their
// group. Every day of an insert becomes a part of its own, and many small parts cost
// the store more than the rows in them. It is stored when it has gathered many, or with
// the last group.
//
// What is held back, and until when, follows from the records that were admitted alone,
// duplicates among them, so that a repetition decides alike.
type scattered struct {
	rows     *sinks.Block // nil: the rows of this dataset do not lie by days
	few      map[sinks.Day]bool
	asked    sinks.Day // whether it is among few is the answer, plus 1
	answer   bool
	gathered int      // admitted since it was last stored
	admitted sinks.ID // stands for these
	times    int      // that it has been stored
}

const (
	fewRows      = 1 << 10 // of a day in a group
	manyGathered = 48 << 10
)

// choose decides which days of a group have few rows.
func (s *scattered) choose(rows *sinks.Block) {
	if s.rows == nil {
		return
	}
	if s.few == nil {
		s.few = map[sinks.Day]bool{}
	}
	clear(s.few)
	s.asked = 0
	var counts dayCounts
	for _, day := range rows.Days {
		counts.add(day)
	}
	gathered := uint64(s.gathered)
	for day, n := range counts.days {
		if *n < fewRows {
			s.few[day] = true
			gathered += *n
		}
	}
	if gathered > sinks.MaxRows { // a block has no room for them
		clear(s.few)
	}
	for i, day := range rows.Days {
		if s.isFew(day) {
			s.gathered++
			s.admitted = sinks.CombineIDs([]sinks.ID{s.admitted, rows.Records[i]})
		}
	}
}

// isFew reports whether a day has few rows in the group; records of one day come
// together.
func (s *scattered) isFew(day sinks.Day) bool {
	if s.asked != day+1 {
		s.asked, s.answer = day+1, s.few[day]
	}
	return s.answer
}

// hold takes those rows of a group that are to be held back. Flags is room for them.
func (s *scattered) hold(rows *sinks.Block, flags []bool) []bool {
	flags = flags[:0]
	if len(s.few) == 0 {
		return flags
	}
	some := false
	for _, day := range rows.Days {
		few := s.isFew(day)
		some = some || few
		flags = append(flags, few)
	}
	if some {
		rows.Move(flags, s.rows)
	}
	return flags
}

// place stands for the groups that the rows come from.
func (s *scattered) place() string { return "scattered " + strconv.Itoa(s.times) }

// leave notes that what was held back is being stored.
func (s *scattered) leave() {
	s.gathered, s.admitted = 0, sinks.ID{}
	s.times++
}

// holdsBack reports whether any rows are held back, and whether many.
func (r *sourceReader) holdsBack() (some, many bool) {
	for _, o := range r.outlets {
		some = some || o.scattered.gathered > 0
		many = many || o.scattered.gathered >= manyGathered
	}
	return some, many
}

// storeScattered begins to store, with a group, what has been held back.
func (r *sourceReader) storeScattered(ctx context.Context, g *group) {
	for _, o := range r.outlets {
		if s := &o.scattered; s.gathered > 0 {
			g.storeLate(ctx, o, s.rows, s.place(), s.admitted)
			s.leave()
		}
	}
}

// storeLate is store for rows that were held back. It leaves out those that are stored by
// now: by another process that reads the same source and has stored its rows earlier,
// because somebody waited.
func (g *group) storeLate(ctx context.Context, o *outlet, rows *sinks.Block, place string, admitted sinks.ID) {
	g.depart(o, rows, func(b *sinks.Block) error {
		known, err := g.reader.Intake.Known(ctx, b.Dataset, b.Records, slices.Min(b.Days), slices.Max(b.Days))
		if err != nil {
			return err
		}
		missing := make([]bool, b.Rows())
		for i, id := range b.Records {
			origin, found := known[id]
			missing[i] = !found || origin != sinks.RowOrigin{Source: b.Source, Position: b.Positions[i]}
		}
		if slices.Contains(missing, false) { // b itself is looked at by others
			b.Batches = append(b.Batches[:0], make([]uint32, b.Rows())...)
			rest := b.Clone()
			b.CopyTo(missing, rest)
			b = rest
		}
		if b.Rows() == 0 {
			return nil
		}
		return g.insert(ctx, b, place, admitted)
	})
}

// storeHeldBack stores what has been held back, at once.
func (r *sourceReader) storeHeldBack(ctx context.Context) error {
	g := newGroup(r)
	r.storeScattered(ctx, g)
	g.leaveAfter([]func(){r.kept})
	r.kept = nil
	r.storing = append(r.storing, g)
	return r.waitStored()
}

// leaveAll gives up all admissions.
func (r *sourceReader) leaveAll() {
	for _, leave := range []*func(){&r.leave, &r.kept, &r.reading.group.leave} {
		if *leave != nil {
			(*leave)()
			*leave = nil
		}
	}
}
