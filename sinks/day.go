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
//
// In a cluster each node has partitions of its own, of the same days: Shard and Replica
// say whose it is, and are zero where there is one server.
type Partition struct {
	Batch   uint32 `json:"batch"`
	Day     Day    `json:"day"`
	Replica uint32 `json:"replica,omitempty"`
	Shard   uint32 `json:"shard,omitempty"`
}

// Node is a server of a cluster, by its shard and its replica, both counted from 1. The
// only server of an installation without a cluster is the zero Node.
type Node struct{ Shard, Replica uint32 }

func (n Node) String() string {
	if n.Replica > 1 {
		return fmt.Sprintf("%d.%d", n.Shard, n.Replica)
	}
	return fmt.Sprint(n.Shard)
}

// Node returns the node that p is on.
func (p Partition) Node() Node { return Node{p.Shard, p.Replica} }

// Again reports whether another replica has the same rows.
func (p Partition) Again() bool { return p.Replica > 1 }

// On returns the partition of the same day and batch on a node.
func (p Partition) On(n Node) Partition {
	p.Shard, p.Replica = n.Shard, n.Replica
	return p
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

// String returns the day, the batch if it is not 0, and the node if there is more than one
// server: 2026-01-31/1@2 is batch 1 on shard 2.
func (p Partition) String() string {
	batch, separated := p.Batch%SeparatedBatches, p.Batch/SeparatedBatches
	name := p.Day.String()
	switch {
	case separated > 0:
		name += fmt.Sprintf("/%d+%d", batch, separated)
	case batch > 0:
		name += fmt.Sprintf("/%d", batch)
	}
	if p.Shard > 0 {
		name += "@" + p.Node().String()
	}
	return name
}
