package clickhouse

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.RunHistory = (*Store)(nil)

// RecordRun implements sinks.RunHistory.
func (s *Store) RecordRun(ctx context.Context, r sinks.RunRecord) error {
	counts := make(map[string]uint64, len(r.Counts))
	for name, n := range r.Counts {
		counts[string(name)] = n
	}
	scheduled := r.ScheduledFor
	if scheduled.IsZero() {
		scheduled = time.Unix(0, 0)
	}
	return s.insert(ctx, "insert_run", s.db, 1, func(int) []any {
		return []any{
			uuid.UUID(r.Run), string(r.Job), string(r.Actor), scheduled, r.AsOf, r.StartedAt, r.EndedAt, string(r.Result), string(r.Error),
			r.Steps, r.Failed, counts, s.policy.Version, fmt.Sprintf("%x", s.policy.Hash), r.Program,
		}
	})
}

// LastRuns implements sinks.RunHistory.
func (s *Store) LastRuns(ctx context.Context) ([]sinks.RunRecord, error) {
	return s.runRecords(ctx, "last_runs", nil)
}

// Runs implements sinks.RunHistory.
func (s *Store) Runs(ctx context.Context, f sinks.RunFilter) ([]sinks.RunRecord, error) {
	limit, since := uint64(f.Limit), max(f.Since.UnixMilli(), 0)
	if f.Limit == 0 {
		limit = math.MaxInt64
	}
	return s.runRecords(ctx, "runs", parameters{
		"job": string(f.Job), "since": strconv.FormatInt(since, 10), "limit": strconv.FormatUint(limit, 10),
	})
}

func (s *Store) runRecords(ctx context.Context, name string, p parameters) (runs []sinks.RunRecord, err error) {
	err = s.query(ctx, name, s.db, p, func(r driver.Rows) error {
		var run uuid.UUID
		var job, actor, result, class string
		var counts map[string]uint64
		var record sinks.RunRecord
		err := r.Scan(&run, &job, &actor, &record.ScheduledFor, &record.AsOf, &record.StartedAt, &record.EndedAt, &result, &class,
			&record.Steps, &record.Failed, &counts, &record.PolicyVersion, &record.PolicyHash, &record.Program)
		record.Run, record.Job, record.Actor = sinks.ID(run), sinks.JobKind(job), sinks.Actor(actor)
		record.Result, record.Error = sinks.Result(result), sinks.ErrorClass(class)
		if record.ScheduledFor.Unix() == 0 {
			record.ScheduledFor = time.Time{}
		}
		for name, n := range counts {
			if record.Counts == nil {
				record.Counts = make(map[sinks.Count]uint64, len(counts))
			}
			record.Counts[sinks.Count(name)] = n
		}
		runs = append(runs, record)
		return err
	})
	return runs, err
}

// LastScheduled implements sinks.RunHistory.
func (s *Store) LastScheduled(ctx context.Context) (map[sinks.JobKind]time.Time, error) {
	return s.timesOfJobs(ctx, "last_scheduled")
}

// LastSuccesses implements sinks.RunHistory.
func (s *Store) LastSuccesses(ctx context.Context) (map[sinks.JobKind]time.Time, error) {
	return s.timesOfJobs(ctx, "last_successes")
}

// timesOfJobs reads a time for each job; those without one are left out.
func (s *Store) timesOfJobs(ctx context.Context, name string) (map[sinks.JobKind]time.Time, error) {
	times := map[sinks.JobKind]time.Time{}
	err := s.query(ctx, name, s.db, nil, func(r driver.Rows) error {
		var job string
		var at time.Time
		err := r.Scan(&job, &at)
		if at.Unix() > 0 {
			times[sinks.JobKind(job)] = at
		}
		return err
	})
	return times, err
}

// PruneRuns implements sinks.RunHistory.
func (s *Store) PruneRuns(ctx context.Context, before time.Time) error {
	p := parameters{"before": strconv.FormatInt(before.UnixMilli(), 10)}
	var old uint64
	if err := s.queryRow(ctx, "count_old_runs", s.db, p, &old); err != nil || old == 0 {
		return err
	}
	return s.exec(ctx, "prune_runs", s.db, p)
}
