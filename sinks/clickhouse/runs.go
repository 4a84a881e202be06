package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.RunHistory = (*Store)(nil)

// RecordRun implements sinks.RunHistory.
func (s *Store) RecordRun(ctx context.Context, r sinks.RunRecord) error {
	return s.insert(ctx, "insert_run", s.db, 1, func(int) []any {
		return []any{
			uuid.UUID(r.Run), string(r.Job), string(r.Actor), r.AsOf, r.StartedAt, r.EndedAt, string(r.Result), string(r.Error),
			r.Steps, r.Failed, s.policy.Version, fmt.Sprintf("%x", s.policy.Hash), r.Program,
		}
	})
}

// LastRuns implements sinks.RunHistory.
func (s *Store) LastRuns(ctx context.Context) (runs []sinks.RunRecord, err error) {
	err = s.query(ctx, "last_runs", s.db, nil, func(r driver.Rows) error {
		var run uuid.UUID
		var job, actor, result, class string
		var record sinks.RunRecord
		err := r.Scan(&run, &job, &actor, &record.AsOf, &record.StartedAt, &record.EndedAt, &result, &class, &record.Steps, &record.Failed, &record.Program)
		record.Run, record.Job, record.Actor = sinks.ID(run), sinks.JobKind(job), sinks.Actor(actor)
		record.Result, record.Error = sinks.Result(result), sinks.ErrorClass(class)
		runs = append(runs, record)
		return err
	})
	return runs, err
}
