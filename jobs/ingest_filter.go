package jobs

import (
	"context"
	"encoding/binary"

	"github.com/facesoft/lapse/sinks"
)

// recordFilter knows of most records that they are not stored yet, so that the
// store need not be asked about them. It is a Bloom filter (Bloom, 1970) whose bits
// for one record lie in one cache line (Putze, Sanders and Singler, 2007): what it
// denies is certain, what it affirms is to be asked. When it is full it starts
// anew, and grows up to a bound if the days around the records in hand hold too
// many for it.
type recordFilter struct {
	lines   [][8]uint64
	records int                // in it
	learned int                // of these, those that the store told
	covered map[string]*daySet // for each dataset, the days whose records are in it
}

// The filter's size in lines of 64 bytes: from 4 MiB to 32 MiB. At 32 bits a record it
// affirms, when it is full, about six in a million that it does not hold: most groups
// of records are stored without a question.
const (
	leastLines = 1 << 16
	mostLines  = 1 << 19
	lineFull   = 512 / 32 // records a line
)

// lookAhead is how many days beyond those that are needed are covered at once,
// because records come in about the order of their days.
const lookAhead = 14

// daySet is a set of storable days.
type daySet [1 << 10]uint64

func (s *daySet) has(d sinks.Day) bool { return s[d>>6&1023]&(1<<(d&63)) != 0 }
func (s *daySet) add(d sinks.Day)      { s[d>>6&1023] |= 1 << (d & 63) }

// lastDay is the last day that ClickHouse's Date can stand for.
const lastDay = 1<<16 - 1

// follows reports whether the filter is in use for a dataset.
func (f *recordFilter) follows(dataset string) bool { return f.covered[dataset] != nil }

// follow begins to use the filter for a dataset.
func (f *recordFilter) follow(dataset string) {
	if f.lines == nil {
		f.lines, f.covered = make([][8]uint64, leastLines), map[string]*daySet{}
	}
	if f.covered[dataset] == nil {
		f.covered[dataset] = new(daySet)
	}
}

// full reports whether the filter affirms too much to be of use.
func (f *recordFilter) full() bool { return f.records > lineFull*len(f.lines) }

// reset empties the filter; it goes on following the same datasets.
func (f *recordFilter) reset() {
	if 2*f.learned > f.records && len(f.lines) < mostLines {
		f.lines = make([][8]uint64, 2*len(f.lines))
	}
	clear(f.lines)
	f.records, f.learned = 0, 0
	for _, days := range f.covered {
		*days = daySet{}
	}
}

// add adds a record and reports whether the filter affirmed it before.
func (f *recordFilter) add(id sinks.ID) bool {
	high, low := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])
	line := &f.lines[high&uint64(len(f.lines)-1)]
	known := true
	for i := range line[:] { // eight bits, one in each word
		bit := uint64(1) << (low & 63)
		low >>= 6
		known = known && line[i]&bit != 0
		line[i] |= bit
	}
	if !known {
		f.records++
	}
	return known
}

// remember adds records that the store cannot tell yet: they are on their way.
func (f *recordFilter) remember(b *sinks.Block) {
	for _, id := range b.Records {
		f.add(id)
	}
}

// cover makes sure that the filter knows the records that the dataset holds on the
// days around the given one.
func (f *recordFilter) cover(ctx context.Context, intake sinks.Intake, dataset string, day, horizon sinks.Day) error {
	days := f.covered[dataset]
	first, last := max(day-horizon, 0), min(day+horizon, lastDay)
	for first <= last && days.has(first) {
		first++
	}
	for first <= last && days.has(last) {
		last--
	}
	if first > last {
		return nil
	}
	if last == min(day+horizon, lastDay) {
		last = min(last+lookAhead, lastDay)
	}
	err := intake.Records(ctx, dataset, first, last, func(ids []sinks.ID) {
		for _, id := range ids {
			f.add(id)
		}
		f.learned += len(ids)
	})
	if err != nil {
		return err
	}
	for d := first; d <= last; d++ {
		days.add(d)
	}
	return nil
}
