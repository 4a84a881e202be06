package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// exemption is what the statements about rows that may not be touched are rendered
// from.
type exemption struct {
	heldRows
	Holds   bool // there are any in force
	Windows bool // organisations have windows of their own
	Next    bool // some of the next partitions have rows

	store      *Store
	table      *table
	parameters parameters
}

// newExemption returns nil where no row is exempt.
func (s *Store) newExemption(ctx context.Context, dataset string, partitions []sinks.Partition, e sinks.Exemption) (*exemption, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	x := &exemption{heldRows: s.heldRows(t), Windows: len(e.Organisations) > 0, store: s, table: t, parameters: holdParameters(dataset, e.AsOf)}
	if x.Holds, err = s.holdsInForce(ctx, dataset, e.AsOf); err != nil {
		return nil, err
	}
	next := make([]sinks.Partition, len(partitions))
	for i, p := range partitions {
		next[i] = p.Next()
	}
	held, err := s.Holdings(ctx, dataset, next)
	if err != nil {
		return nil, err
	}
	next = slices.DeleteFunc(next, func(p sinks.Partition) bool { return held[p].Personal == 0 })
	x.Next = len(next) > 0
	if !x.Holds && !x.Windows && !x.Next {
		return nil, nil
	}
	names := slices.Sorted(maps.Keys(e.Organisations))
	days := make([]string, len(names))
	for i, name := range names {
		days[i] = e.Organisations[name].String()
	}
	x.parameters["organisations"], x.parameters["days"], x.parameters["before"] = arrayOf(names), arrayOf(days), e.Before.String()
	x.parameters["partitions"], x.parameters["next"] = arrayOf(partitionIDs(partitions)), arrayOf(partitionIDs(next))
	return x, nil
}

// Exempt implements sinks.MixedDays.
func (s *Store) Exempt(ctx context.Context, dataset string, partitions []sinks.Partition, e sinks.Exemption) (map[sinks.Partition]sinks.Exempt, error) {
	x, err := s.newExemption(ctx, dataset, partitions, e)
	if err != nil || x == nil {
		return nil, err
	}
	return x.count(ctx, partitions)
}

func (x *exemption) count(ctx context.Context, partitions []sinks.Partition) (map[sinks.Partition]sinks.Exempt, error) {
	byID := make(map[string]sinks.Partition, len(partitions))
	for _, p := range partitions {
		byID[partitionID(p)] = p
	}
	exempt := map[sinks.Partition]sinks.Exempt{}
	err := x.store.query(ctx, "exempt", x, x.parameters, func(r driver.Rows) error {
		var id string
		var firstKept int32
		var moved, held, later, due uint64
		if err := r.Scan(&id, &firstKept, &moved, &held, &later, &due); err != nil {
			return err
		}
		of := exempt[byID[id]]
		of.Moved, of.Held, of.Later = of.Moved+moved, of.Held+held, of.Later+later
		if of.Due == nil {
			of.Due = map[sinks.Day]uint64{}
		}
		if due > 0 {
			of.Due[sinks.Day(firstKept)] += due
		}
		exempt[byID[id]] = of
		return nil
	})
	return exempt, err
}

// Separate implements sinks.MixedDays. The partition that rows are moved to is
// exchanged first: whatever interrupts what follows, no row is lost, and the next
// time those that are in both are found.
func (s *Store) Separate(ctx context.Context, dataset string, partitions []sinks.Partition, e sinks.Exemption) (err error) {
	x, err := s.newExemption(ctx, dataset, partitions, e)
	if err != nil || x == nil {
		return err
	}
	exempt, err := x.count(ctx, partitions)
	if err == nil {
		err = s.checkRoom(ctx, x.table, partitionIDs(partitions))
	}
	if err != nil {
		return fmt.Errorf("separate rows of %s: %w", dataset, err)
	}
	data := struct {
		*exemption
		StageTable string
		Columns    []tableColumn
		Partition  string
	}{exemption: x, StageTable: stagePrefix + sinks.NewID().String() + "_separated", Columns: x.table.Columns}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), data.StageTable)) }()
	if err := s.exec(ctx, "create_separated", data, nil); err != nil {
		return fmt.Errorf("separate rows of %s: %w", dataset, err)
	}
	before, err := s.separationCounts(ctx, x.table.Database, x.table.Name, partitions)
	if err != nil {
		return fmt.Errorf("separate rows of %s: %w", dataset, err)
	}
	if err := s.exec(ctx, "separate_rows", data, x.parameters); err != nil {
		return fmt.Errorf("separate rows of %s: %w", dataset, err)
	}
	want := map[sinks.Partition]uint64{}
	for _, p := range partitions {
		of := exempt[p]
		for _, n := range of.Due {
			want[p] += n
		}
		want[p.Next()] = before[partitionID(p.Next())].rows + of.Held + of.Later
	}
	if err := s.checkSeparated(ctx, data.Control, data.StageTable, partitions, want, sinks.ErrConflict); err != nil {
		return fmt.Errorf("separate rows of %s: %w", dataset, err)
	}
	for _, p := range partitions {
		for _, into := range []sinks.Partition{p.Next(), p} {
			now, err := s.separationCounts(ctx, x.table.Database, x.table.Name, []sinks.Partition{p})
			if err != nil {
				return err
			}
			if now[partitionID(p)].rows != before[partitionID(p)].rows {
				return fmt.Errorf("%w: %s of %s held %d rows, and now %d", sinks.ErrConflict, p, dataset, before[partitionID(p)].rows, now[partitionID(p)].rows)
			}
			data.Partition = partitionID(into)
			exchange := func() error { return s.replacePartition(ctx, x.table, into, want[into], "exchange_partition", data) }
			if want[into] == 0 { // there is nothing to exchange it for
				exchange = func() error { return s.dropPartitions(ctx, x.table, []string{data.Partition}) }
			}
			if err := exchange(); err != nil {
				return fmt.Errorf("separate rows of %s: %w", dataset, err)
			}
			sinks.Failpoint("separate.exchanged")
		}
	}
	return s.checkSeparated(ctx, x.table.Database, x.table.Name, partitions, want, sinks.ErrVerification)
}

// separated is what a partition and the next one have.
type separated struct{ rows, parts uint64 }

func (s *Store) separationCounts(ctx context.Context, database, name string, partitions []sinks.Partition) (map[string]separated, error) {
	ids := partitionIDs(partitions)
	for _, p := range partitions {
		ids = append(ids, partitionID(p.Next()))
	}
	counts := map[string]separated{}
	err := s.query(ctx, "count_parts", map[string]any{"Database": database, "Name": name}, parameters{"partitions": arrayOf(ids)}, func(r driver.Rows) error {
		var id string
		var n separated
		err := r.Scan(&id, &n.rows, &n.parts)
		counts[id] = n
		return err
	})
	return counts, err
}

// checkSeparated counts the rows of a table again, and sees to it that each partition
// is one part: only a single part is exchanged in one step.
func (s *Store) checkSeparated(ctx context.Context, database, name string, partitions []sinks.Partition, want map[sinks.Partition]uint64, otherwise error) error {
	counts, err := s.separationCounts(ctx, database, name, partitions)
	if err != nil {
		return err
	}
	for p, n := range want {
		got := counts[partitionID(p)]
		if got.rows != n {
			return fmt.Errorf("%w: after the separation %s has %d rows, and not %d", otherwise, p, got.rows, n)
		}
		if got.parts > 1 && database == s.db.Control {
			merge := map[string]any{"Control": database, "StageTable": name, "Partition": partitionID(p)}
			if err := s.exec(ctx, "merge_stage", merge, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
