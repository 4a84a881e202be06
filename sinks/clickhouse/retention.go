package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.PersonalTables = (*Store)(nil)

// Parts that are no longer read stay on disk until a background thread removes
// them.
const goneTimeout = 2 * time.Minute

// Partitions implements sinks.PersonalTables.
func (s *Store) Partitions(ctx context.Context, dataset string, before sinks.Day) ([]sinks.PartitionStats, error) {
	return s.partitions(ctx, dataset, before, nil)
}

// partitions lists the partitions before a day but for some, which are not read.
func (s *Store) partitions(ctx context.Context, dataset string, before sinks.Day, but []sinks.Partition) ([]sinks.PartitionStats, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	subject := "0"
	if t.dataset != nil && len(t.dataset.Subject) > 0 {
		subject = firstHash(t.dataset.Subject)
	}
	var partitions []sinks.PartitionStats
	data := map[string]any{"Table": t, "Subject": subject, "Control": s.db.Control}
	err = s.query(ctx, "partitions", data, parameters{"before": before.String(), "but": arrayOf(partitionIDs(but))}, func(r driver.Rows) error {
		var p sinks.PartitionStats
		p.Partition = p.On(s.node)
		err := scanDay(r, &p.Day, &p.Batch, &p.Rows, &p.Subjects, &p.Bytes, &p.Unfinished, &p.Detached)
		partitions = append(partitions, p)
		return err
	})
	return partitions, err
}

// Holdings implements sinks.PersonalTables.
func (s *Store) Holdings(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Holding, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"Personal": t, "Published": nil}
	if t.dataset != nil && t.dataset.Publish != nil {
		data["Published"] = s.published(t.dataset)
	}
	held := map[string]sinks.Holding{}
	err = s.query(ctx, "holdings", data, parameters{"partitions": arrayOf(partitionIDs(partitions))}, func(r driver.Rows) error {
		var id string
		var h sinks.Holding
		err := r.Scan(&id, &h.Personal, &h.Published)
		held[id] = h
		return err
	})
	holdings := make(map[sinks.Partition]sinks.Holding, len(partitions))
	for _, p := range partitions {
		holdings[p] = held[partitionID(p)]
	}
	return holdings, err
}

// Seal implements sinks.PersonalTables. Nothing arrives in the batches of separated
// rows, and late rows are not to be counted from them.
func (s *Store) Seal(ctx context.Context, dataset string, partitions []sinks.Partition) error {
	partitions = slices.DeleteFunc(slices.Clone(partitions), sinks.Partition.Separated)
	if len(partitions) == 0 {
		return nil
	}
	return s.insert(ctx, "insert_seals", s.db, len(partitions), func(i int) []any {
		return []any{dataset, partitions[i].Day.Start(), partitions[i].Batch}
	})
}

// Drop implements sinks.PersonalTables.
func (s *Store) Drop(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Absence, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	if len(partitions) == 0 {
		return nil, nil
	}
	ids := partitionIDs(partitions)
	if err := s.dropPartitions(ctx, t, ids); err != nil {
		return nil, err
	}
	until := newPoll(goneTimeout)
	for {
		left, err := s.absence(ctx, t, ids)
		if err != nil || !passing(left) || until.expired() {
			return byPartition(partitions, left), errors.Join(err, s.durable())
		}
		if err := s.exec(ctx, "sweep_parts", t, nil); err != nil {
			return nil, err
		}
		if err := until.wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *Store) dropPartitions(ctx context.Context, t *table, ids []string) error {
	data := map[string]any{"Database": t.Database, "Name": t.Name, "Partitions": ids}
	if err := s.exec(ctx, "drop_partitions", data, nil); err != nil {
		return fmt.Errorf("%s.%s: %w", t.Database, t.Name, err)
	}
	return nil
}

// absence counts what is left of partitions; those of which nothing is left are
// not in the result.
func (s *Store) absence(ctx context.Context, t *table, ids []string) (map[string]sinks.Absence, error) {
	left := map[string]sinks.Absence{}
	err := s.query(ctx, "absence", t, parameters{"partitions": arrayOf(ids)}, func(r driver.Rows) error {
		var id string
		var a sinks.Absence
		err := r.Scan(&id, &a.Rows, &a.Active, &a.Inactive, &a.Detached)
		if !a.Proven() {
			left[id] = a
		}
		return err
	})
	return left, err
}

// passing reports whether anything of what is left goes by itself. A detached part
// does not: somebody has put it aside, and has to say what becomes of it.
func passing(left map[string]sinks.Absence) bool {
	for _, a := range left {
		if a.Rows > 0 || a.Active > 0 || a.Inactive > 0 {
			return true
		}
	}
	return false
}

func byPartition(partitions []sinks.Partition, left map[string]sinks.Absence) map[sinks.Partition]sinks.Absence {
	all := make(map[sinks.Partition]sinks.Absence, len(partitions))
	for _, p := range partitions {
		all[p] = left[partitionID(p)]
	}
	return all
}

// partitionID is ClickHouse's own id of a partition by (day, batch). It is the
// same in the personal and in the anonymised table.
func partitionID(p sinks.Partition) string {
	return fmt.Sprintf("%s-%d", p.Day.Start().Format("20060102"), p.Batch)
}

func partitionIDs(partitions []sinks.Partition) []string {
	ids := make([]string, len(partitions))
	for i, p := range partitions {
		ids[i] = partitionID(p)
	}
	return ids
}
