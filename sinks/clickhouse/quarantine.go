package clickhouse

import (
	"context"
	"strconv"

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
func (s *Store) QuarantinedRecords(ctx context.Context, id sinks.ID, reason string, limit int, each func(sinks.QuarantinedRecord) error) error {
	p := parameters{"record": "", "reason": reason, "limit": strconv.Itoa(limit)}
	if !id.IsZero() {
		p["record"] = uuid.UUID(id).String()
	}
	return s.query(ctx, "quarantined", s.db, p, func(r driver.Rows) error {
		var record uuid.UUID
		var q sinks.QuarantinedRecord
		if err := r.Scan(&record, &q.Reason, &q.Field, &q.Origin.Source, &q.Origin.Position, &q.FirstSeen, &q.Raw); err != nil {
			return err
		}
		q.ID = sinks.ID(record)
		return each(q)
	})
}
