package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

// Publications implements sinks.Publisher.
func (s *Store) Publications(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Publication, error) {
	wanted, err := ext.NewTable("wanted", ext.Column("day", "Date"), ext.Column("batch", "UInt32"))
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		if err := wanted.Append(p.Day.Start(), p.Batch); err != nil {
			return nil, err
		}
	}
	pubs := map[sinks.Partition]sinks.Publication{}
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted))
	err = s.query(ctx, "publications", s.db, parameters{"dataset": dataset}, func(r driver.Rows) error {
		p, err := s.scanPublication(r)
		pubs[p.Partition] = p
		return err
	})
	return pubs, err
}

func (s *Store) scanPublication(r driver.Rows) (p sinks.Publication, err error) {
	var step uuid.UUID
	var day time.Time
	var query string
	err = r.Scan(&p.Dataset, &day, &p.Batch, &step, &p.Rows, &p.Subjects, &p.Published, &p.Generalised, &p.Suppressed, &p.Loss,
		&p.K.K, &p.K.Classes, &p.K.Smallest, &query, &p.VerifiedAt, &p.DroppedAt, &p.Early)
	if err != nil {
		return p, err
	}
	p.Day, p.Step = sinks.DayOf(day), sinks.ID(step)
	p.Partition = p.On(s.node)
	if p.DroppedAt.Unix() == 0 {
		p.DroppedAt = time.Time{}
	}
	return p, p.Query.UnmarshalText([]byte(query))
}

// RecordPublications implements sinks.Publisher.
func (s *Store) RecordPublications(ctx context.Context, pubs []sinks.Publication) error {
	err := s.insert(ctx, "insert_publications", s.db, len(pubs), func(i int) []any {
		p := pubs[i]
		if p.DroppedAt.IsZero() {
			p.DroppedAt = time.Unix(0, 0)
		}
		return []any{
			p.Dataset, p.Day.Start(), p.Batch, uuid.UUID(p.Step), s.policy.Version, fmt.Sprintf("%x", s.policy.Hash), p.Query.String(),
			p.Rows, p.Subjects, p.Published, p.Generalised, p.Suppressed, p.Loss, p.K.K, p.K.Classes, p.K.Smallest, p.VerifiedAt, p.DroppedAt, p.Early,
		}
	})
	return errors.Join(err, s.durable()) // with what was published: the personal rows go next
}

// Early implements sinks.Publisher.
func (s *Store) Early(ctx context.Context, dataset string) (pubs []sinks.Publication, err error) {
	err = s.query(ctx, "early_publications", s.db, parameters{"dataset": dataset}, func(r driver.Rows) error {
		p, err := s.scanPublication(r)
		pubs = append(pubs, p)
		return err
	})
	return pubs, err
}

// Unpublished implements sinks.Publisher.
func (s *Store) Unpublished(ctx context.Context, dataset string, before sinks.Day) ([]sinks.PartitionStats, error) {
	var published []sinks.Partition
	err := s.query(ctx, "published_partitions", s.db, parameters{"dataset": dataset, "before": before.String()}, func(r driver.Rows) error {
		var p sinks.Partition
		err := scanDay(r, &p.Day, &p.Batch)
		published = append(published, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.partitions(ctx, dataset, before, published)
}
