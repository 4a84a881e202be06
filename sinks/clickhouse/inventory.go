package clickhouse

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.TrainingInventory = (*Store)(nil)

// KnownBuckets implements sinks.TrainingInventory.
func (s *Store) KnownBuckets(ctx context.Context) (names []string, err error) {
	err = s.query(ctx, "known_buckets", s.db, nil, func(r driver.Rows) error {
		names = append(names, "")
		return r.Scan(&names[len(names)-1])
	})
	return names, err
}

// EachKnown implements sinks.TrainingInventory.
func (s *Store) EachKnown(ctx context.Context, bucket string, each func(sinks.KnownObject) error) error {
	return s.eachKnown(ctx, bucket, false, each)
}

// Expected implements sinks.TrainingInventory.
func (s *Store) Expected(ctx context.Context, bucket string, keys []string) (map[string]sinks.KnownObject, error) {
	wanted, err := ext.NewTable("wanted", ext.Column("key", "String"))
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := wanted.Append(key); err != nil {
			return nil, err
		}
	}
	known := map[string]sinks.KnownObject{}
	err = s.eachKnown(clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted)), bucket, true, func(o sinks.KnownObject) error {
		known[o.Key] = o
		return nil
	})
	return known, err
}

func (s *Store) eachKnown(ctx context.Context, bucket string, wanted bool, each func(sinks.KnownObject) error) error {
	data := map[string]any{"Control": s.db.Control, "Wanted": wanted}
	return s.query(ctx, "known_objects", data, parameters{"bucket": bucket}, func(r driver.Rows) error {
		var o sinks.KnownObject
		var id string
		var derivative uint8
		if err := r.Scan(&o.Key, &id, &derivative, &o.Bytes, &o.SHA256); err != nil {
			return err
		}
		o.Derivative = derivative != 0
		if err := o.Item.UnmarshalText([]byte(id)); err != nil {
			return err
		}
		return each(o)
	})
}

// Strays implements sinks.TrainingInventory.
func (s *Store) Strays(ctx context.Context, bucket string) (map[sinks.ID]time.Time, error) {
	seen := map[sinks.ID]time.Time{}
	err := s.query(ctx, "strays", s.db, parameters{"bucket": bucket}, func(r driver.Rows) error {
		var id uuid.UUID
		var at time.Time
		err := r.Scan(&id, &at)
		seen[sinks.ID(id)] = at
		return err
	})
	return seen, err
}

// NoteStrays implements sinks.TrainingInventory.
func (s *Store) NoteStrays(ctx context.Context, bucket string, at time.Time, strays []sinks.ID) error {
	err := s.insert(ctx, "insert_strays", s.db, len(strays), func(i int) []any {
		return []any{bucket, uuid.UUID(strays[i]), at}
	})
	return errors.Join(err, s.durable())
}
