package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/kanon"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

// tuneTable reads the rows.
func (a *app) tuneTable(ctx context.Context, p *config.Policy, t *tuning, o *tuneOptions) (*kanon.Table, error) {
	if o.sample != "" {
		return a.tuneSample(ctx, p, t, o)
	}
	i, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	dataset, _ := i.policy.Dataset(o.dataset)
	all, err := i.store.Partitions(ctx, o.dataset, lastDay)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s sinks.PartitionStats) bool { return s.Again() })
	slices.SortStableFunc(all, func(a, b sinks.PartitionStats) int { return cmp.Compare(a.Day, b.Day) }) // over all shards
	partitions, err := newest(all, uint64(o.maxRows))
	if err != nil {
		return nil, usageError{fmt.Errorf("tune %s: %w", o.dataset, err)}
	}
	t.source = fmt.Sprintf("the personal table, %d of its %d partitions", len(partitions), len(all))
	return jobs.TuneTable(ctx, dataset, i.store, partitions, false)
}

// lastDay is after every day that a table can hold.
var lastDay = sinks.DayOf(time.Date(2149, time.June, 6, 0, 0, 0, 0, time.UTC))

// newest returns the newest partitions that have no more than limit rows together.
func newest(all []sinks.PartitionStats, limit uint64) ([]sinks.Partition, error) {
	if len(all) == 0 {
		return nil, errors.New("the personal table holds no rows; ingest some, or give a sample with --sample")
	}
	var partitions []sinks.Partition
	rows := uint64(0)
	for _, p := range slices.Backward(all) {
		if rows+p.Rows > limit {
			break
		}
		partitions, rows = append(partitions, p.Partition), rows+p.Rows
	}
	if len(partitions) == 0 {
		return nil, fmt.Errorf("the newest partition has more than %d rows; allow more with --max-rows, or give a sample with --sample", limit)
	}
	return partitions, nil
}

// tuneSample reads the rows from a file, with an engine of its own: levels are worked
// out by the same SQL as they are published by.
func (a *app) tuneSample(ctx context.Context, p *config.Policy, t *tuning, o *tuneOptions) (_ *kanon.Table, err error) {
	f, err := os.Open(o.sample)
	if err != nil {
		return nil, usageError{fmt.Errorf("open sample: %w", err)}
	}
	defer f.Close() //nolint:errcheck // only read
	dir, err := os.MkdirTemp("", "lapse-sample-")
	if err != nil {
		return nil, fmt.Errorf("read sample: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e, err := engine.Start(ctx, engine.Options{Dir: filepath.Join(dir, "clickhouse"), Library: a.settings.Engine.Library, AnalystDatabase: clickhouse.DatabasesWithPrefix("").Analytics})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	store, err := clickhouse.Open(ctx, clickhouse.Options{
		Addresses: []string{e.Address}, User: e.User, Password: e.Password, Sync: e.Sync,
		Databases: clickhouse.DatabasesWithPrefix(""), Policy: p,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.PrepareSample(ctx, t.dataset); err != nil {
		return nil, err
	}
	sample, err := jobs.ReadSample(f, t.dataset, o.maxRows, func(b *sinks.Block) error {
		return store.Insert(ctx, b, sinks.NewID())
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("read sample %s: %w", o.sample, err)}
	}
	t.describe(o.sample, sample)
	return jobs.TuneTable(ctx, t.dataset, store, sample.Partitions, sample.OwnPeople)
}

// describe notes what was made of a sample.
func (t *tuning) describe(file string, s *jobs.Sample) {
	t.source = file
	if s.OwnPeople {
		t.notes = append(t.notes, fmt.Sprintf("the sample has none of the columns %s: every row counts as a person of its own", strings.Join(t.dataset.Subject, ", ")))
	}
	if s.OneDay {
		t.notes = append(t.notes, fmt.Sprintf("the sample has no column %s: all rows count as one day", t.dataset.Time))
	}
}
