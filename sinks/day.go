package sinks

import (
	"fmt"
	"time"
)

// Day is a calendar day in UTC, counted from 1970-01-01. It is the unit in
// which personal rows expire: a personal table has one partition a day (and
// batch), by the event's own time.
type Day int32

// MaxDay is later than any day that a table can hold.
const MaxDay Day = 1<<16 - 1

// DayOf returns the UTC day that contains t.
func DayOf(t time.Time) Day {
	return Day(floorDiv(t.Unix(), 24*60*60))
}

// Start returns the first instant of d.
func (d Day) Start() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// End returns the first instant after d.
func (d Day) End() time.Time { return (d + 1).Start() }

func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// MarshalText implements encoding.TextMarshaler.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts YYYY-MM-DD.
func (d *Day) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("parse day: %w", err)
	}
	*d = DayOf(t)
	return nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Partition names the unit that is published whole or not at all: the rows of
// one dataset with an event time on Day, of one Batch. Batch 0 takes the rows
// that arrive in time. When a day has been sealed for anonymisation, rows that
// still arrive for it go into the next batch, which is then published by itself.
type Partition struct {
	Batch uint32 `json:"batch"`
	Day   Day    `json:"day"`
}

// SeparatedBatches is where the batches begin of rows that were separated from others
// because they may not be touched as early: those of batch 3 go into batch
// 3+SeparatedBatches, and what is separated from that into 3+2*SeparatedBatches. No
// row arrives in such a batch.
const SeparatedBatches = 1 << 24

// Next returns the partition into which rows of p are separated.
func (p Partition) Next() Partition {
	p.Batch += SeparatedBatches
	return p
}

// Separated reports whether p holds rows that were separated from others.
func (p Partition) Separated() bool { return p.Batch >= SeparatedBatches }

func (p Partition) String() string {
	batch, separated := p.Batch%SeparatedBatches, p.Batch/SeparatedBatches
	switch {
	case separated > 0:
		return fmt.Sprintf("%s/%d+%d", p.Day, batch, separated)
	case batch == 0:
		return p.Day.String()
	}
	return fmt.Sprintf("%s/%d", p.Day, batch)
}
