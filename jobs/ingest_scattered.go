package jobs

import (
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
	manyGathered = 8 << 10
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
	for day, n := range counts.days {
		if *n < fewRows {
			s.few[day] = true
		}
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

// due reports whether what is held back is to be stored now.
func (s *scattered) due(last bool) bool {
	return s.gathered >= manyGathered || last && s.gathered > 0
}

// place stands for the groups that the rows come from.
func (s *scattered) place() string { return "scattered " + strconv.Itoa(s.times) }

// leave notes that what was held back is being stored.
func (s *scattered) leave() {
	s.gathered, s.admitted = 0, sinks.ID{}
	s.times++
}
