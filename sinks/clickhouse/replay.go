package clickhouse

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.QuarantineReplay = (*Store)(nil)

// replayParameters select records that can be read again.
func replayParameters(which sinks.QuarantineSelection, asOf time.Time) parameters {
	p := quarantineParameters(which, asOf)
	p["cut"] = strconv.Itoa(sinks.MaxRaw)
	return p
}

// QuarantinedSources implements sinks.QuarantineReplay.
func (s *Store) QuarantinedSources(ctx context.Context, which sinks.QuarantineSelection, asOf time.Time) (sources []sinks.QuarantinedSource, err error) {
	err = s.query(ctx, "quarantined_sources", s.newRemoval(), replayParameters(which, asOf), func(r driver.Rows) error {
		var q sinks.QuarantinedSource
		var digest uuid.UUID
		var state string
		err := r.Scan(&digest, &state, &q.Path, &q.Format, &q.Bytes, &q.AsOf, &q.Records, &q.RawBytes, &q.FirstSeen)
		q.Digest, q.State = sinks.ID(digest), sinks.SourceState(state)
		sources = append(sources, q)
		return err
	})
	return sources, err
}

// errEnough ends a query of which enough has been read.
var errEnough = errors.New("enough")

// ReplayableRecords implements sinks.QuarantineReplay.
func (s *Store) ReplayableRecords(ctx context.Context, source sinks.ID, which sinks.QuarantineSelection, asOf time.Time, from uint64, limit int, each func(sinks.QuarantinedRecord) (bool, error)) error {
	p := replayParameters(which, asOf)
	p["source"], p["lapse_source"], p["from"] = uuid.UUID(source).String(), strconv.FormatUint(source.Bits(), 10), strconv.FormatUint(from, 10)
	p["limit"] = strconv.Itoa(limit)
	err := s.query(ctx, "replayable_records", s.newRemoval(), p, func(r driver.Rows) error {
		q, err := scanQuarantined(r)
		if err != nil {
			return err
		}
		more, err := each(q)
		if err == nil && !more {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// BeginReplay implements sinks.QuarantineReplay.
func (s *Store) BeginReplay(ctx context.Context, source sinks.ID) error {
	return s.setReplaying(ctx, source, true)
}

// EndReplay implements sinks.QuarantineReplay.
func (s *Store) EndReplay(ctx context.Context, source sinks.ID) error {
	return s.setReplaying(ctx, source, false)
}

func (s *Store) setReplaying(ctx context.Context, source sinks.ID, open bool) error {
	err := s.exec(ctx, "replaying", s.db, parameters{
		"source": uuid.UUID(source).String(), "lapse_source": strconv.FormatUint(source.Bits(), 10), "open": strconv.FormatBool(open),
	})
	if err != nil {
		return err
	}
	return s.durable()
}

// RecordReplayed implements sinks.QuarantineReplay.
func (s *Store) RecordReplayed(ctx context.Context, source, run sinks.ID, records []sinks.Replayed) error {
	if len(records) == 0 {
		return nil
	}
	err := s.insert(ctx, "insert_replays", s.db, len(records), func(i int) []any {
		r := records[i]
		return []any{
			uuid.UUID(source), source.Bits(), r.Position, string(r.Fate), r.FromDated, r.FromDay.Start(), r.Dated, r.Day.Start(), uuid.UUID(run),
		}
	})
	if err != nil {
		return err
	}
	return s.durable() // with the rows: what stands for them goes next
}

// RemoveReplayed implements sinks.QuarantineReplay.
func (s *Store) RemoveReplayed(ctx context.Context, sources []sinks.ID, asOf time.Time) (sinks.Absence, error) {
	quoted := make([]string, len(sources))
	for i, id := range sources {
		quoted[i] = "'" + uuid.UUID(id).String() + "'"
	}
	what := s.newRemoval()
	what.Replayed = true
	p := holdParameters(sinks.QuarantineDataset, asOf)
	p["sources"] = "[" + strings.Join(quoted, ",") + "]"
	_, left, err := s.remove(ctx, what, p)
	return left, err
}
