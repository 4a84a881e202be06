package clickhouse

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Quarantine = (*Store)(nil)

// QuarantineGroups implements sinks.Quarantine.
func (s *Store) QuarantineGroups(ctx context.Context) (groups []sinks.QuarantineGroup, err error) {
	err = s.query(ctx, "quarantine_summary", s.db, nil, func(r driver.Rows) error {
		var g sinks.QuarantineGroup
		err := r.Scan(&g.Reason, &g.Field, &g.Format, &g.Records, &g.Sources, &g.First, &g.Last)
		groups = append(groups, g)
		return err
	})
	return groups, err
}

// QuarantinedRecords implements sinks.Quarantine.
func (s *Store) QuarantinedRecords(ctx context.Context, which sinks.QuarantineSelection, limit int, each func(sinks.QuarantinedRecord) error) error {
	p := selected(which)
	p["limit"] = strconv.Itoa(limit)
	return s.query(ctx, "quarantined", s.db, p, func(r driver.Rows) error {
		q, err := scanQuarantined(r)
		if err != nil {
			return err
		}
		return each(q)
	})
}

// selected are the parameters of a selection.
func selected(which sinks.QuarantineSelection) parameters {
	if which.Before.IsZero() {
		which.Before = lastHeld
	}
	p := parameters{"record": "", "reason": which.Reason, "before": milliseconds(which.Before)}
	if !which.Record.IsZero() {
		p["record"] = uuid.UUID(which.Record).String()
	}
	return p
}

func scanQuarantined(r driver.Rows) (q sinks.QuarantinedRecord, err error) {
	var record, seed uuid.UUID
	var day time.Time
	err = r.Scan(&record, &q.Reason, &q.Field, &q.Origin.Source, &q.Origin.Position, &q.FirstSeen, &q.Raw, &q.Envelope, &seed, &q.Dated, &day)
	q.ID, q.Seed = sinks.ID(record), sinks.ID(seed)
	if q.Dated {
		q.Day = sinks.DayOf(day)
	}
	return q, err
}

// removal is what the statements about quarantined records that go are rendered from.
type removal struct {
	Control, Stage string
	Replayed       bool
	Held           heldRows
}

func (s *Store) newRemoval() removal {
	return removal{
		Control: s.db.Control, Stage: stagePrefix + sinks.NewID().String() + "_removed",
		Held: s.heldRows(s.tables[sinks.QuarantineDataset]),
	}
}

// CountQuarantined implements sinks.Quarantine.
func (s *Store) CountQuarantined(ctx context.Context, which sinks.QuarantineSelection, asOf time.Time) (records, bytes uint64, err error) {
	err = s.queryRow(ctx, "count_quarantined", s.newRemoval(), quarantineParameters(which, asOf), &records, &bytes)
	return records, bytes, err
}

func quarantineParameters(which sinks.QuarantineSelection, asOf time.Time) parameters {
	p := selected(which)
	for name, value := range holdParameters(sinks.QuarantineDataset, asOf) {
		p[name] = value
	}
	return p
}

// RemoveQuarantined implements sinks.Quarantine.
func (s *Store) RemoveQuarantined(ctx context.Context, which sinks.QuarantineSelection, asOf time.Time) (uint64, sinks.Absence, error) {
	return s.remove(ctx, s.newRemoval(), quarantineParameters(which, asOf))
}

// remove deletes what find_removed.sql lists.
func (s *Store) remove(ctx context.Context, what removal, p parameters) (records uint64, left sinks.Absence, err error) {
	if err := s.exec(ctx, "create_removed", what, nil); err != nil {
		return 0, left, err
	}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), what.Stage)) }()
	if err := s.exec(ctx, "find_removed", what, p); err != nil {
		return 0, left, err
	}
	count := func() (n uint64, err error) {
		var bytes uint64
		return n, s.queryRow(ctx, "count_removed", what, nil, &n, &bytes)
	}
	if records, err = count(); err != nil || records == 0 {
		return 0, left, err
	}
	t := s.tables[sinks.QuarantineDataset]
	if err := s.mutate(ctx, t, "remove_quarantined", what); err != nil {
		return records, left, err
	}
	left, err = s.awaitGone(ctx, t, count)
	return records, left, err
}
