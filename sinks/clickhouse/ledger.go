package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.SourceLedger = (*Store)(nil)

// Source implements sinks.SourceLedger.
func (s *Store) Source(ctx context.Context, digest sinks.ID) (source sinks.Source, found bool, err error) {
	source.Digest = digest
	err = s.query(ctx, "source", s.db, parameters{"source": uuid.UUID(digest).String()}, func(r driver.Rows) error {
		found = true
		var run uuid.UUID
		var day time.Time
		var d sinks.SourceDay
		var state string
		err := r.Scan(&state, &source.Path, &source.Format, &source.Bytes, &run, &source.AsOf,
			&d.Dated, &day, &d.Read, &d.Stored, &d.Quarantined, &d.Refused, &d.Duplicate)
		source.Run, source.State = sinks.ID(run), sinks.SourceState(state)
		if d.Day = sinks.DayOf(day); d.Read > 0 {
			source.Days = append(source.Days, d)
		}
		return err
	})
	return source, found, err
}

// Pending implements sinks.SourceLedger.
func (s *Store) Pending(ctx context.Context) (sources []sinks.Source, err error) {
	err = s.query(ctx, "pending_sources", s.db, nil, func(r driver.Rows) error {
		var digest, run uuid.UUID
		source := sinks.Source{State: sinks.SourcePending}
		err := r.Scan(&digest, &source.Path, &source.Format, &source.Bytes, &run, &source.AsOf)
		source.Digest, source.Run = sinks.ID(digest), sinks.ID(run)
		sources = append(sources, source)
		return err
	})
	return sources, err
}

// RecordSource implements sinks.SourceLedger. The account goes in as one block;
// the part without a date is written even if it is empty, so that there is at
// least one row by which the source is known.
func (s *Store) RecordSource(ctx context.Context, source sinks.Source) error {
	days := append([]sinks.SourceDay{{}}, source.Days...)
	if len(source.Days) > 0 && !source.Days[0].Dated {
		days = source.Days
	}
	for _, d := range days {
		if d.Read != d.Stored+d.Quarantined+d.Refused+d.Duplicate {
			return fmt.Errorf("%w: the account of %s does not add up: %+v", sinks.ErrVerification, d.Day, d)
		}
	}
	err := s.insert(ctx, "insert_source", s.db, len(days), func(i int) []any {
		d := days[i]
		return []any{
			uuid.UUID(source.Digest), source.Digest.Bits(), d.Dated, d.Day.Start(), string(source.State), source.Path, source.Format, source.Bytes,
			d.Read, d.Stored, d.Quarantined, d.Refused, d.Duplicate, uuid.UUID(source.Run), source.AsOf,
		}
	})
	if err != nil || source.State != sinks.SourceComplete {
		return err
	}
	return s.durable() // with all rows: nobody reads the file again
}
