package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/sinks"
)

// mutationTimeout is how long a mutation may take before it is killed. One that
// fails is tried again by ClickHouse for ever, without a word.
const mutationTimeout = 30 * time.Minute

// mutate runs the ALTER … DELETE in sql/<name>.sql on t and waits until it is
// done. A mutation that fails, or takes too long, is killed.
func (s *Store) mutate(ctx context.Context, t *table, name string, data any) error {
	background := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 0}))
	if err := s.exec(background, name, data, nil); err != nil {
		return err
	}
	err := s.awaitMutations(ctx, t)
	if err != nil {
		err = errors.Join(err, s.exec(context.WithoutCancel(ctx), "kill_mutations", t, nil))
	}
	return err
}

func (s *Store) awaitMutations(ctx context.Context, t *table) error {
	until := newPoll(mutationTimeout)
	for {
		var unfinished, parts uint64
		var failure string
		if err := s.queryRow(ctx, "mutations", t, nil, &unfinished, &parts, &failure); err != nil {
			return err
		}
		until.left(parts, time.Now())
		switch {
		case failure != "":
			return fmt.Errorf("a mutation of %s fails with %s and was killed", t.Name, failure)
		case unfinished == 0:
			return nil
		case until.expired():
			return fmt.Errorf("a mutation of %s was not done after %s and was killed", t.Name, mutationTimeout)
		}
		if err := until.wait(ctx); err != nil {
			return err
		}
	}
}

// awaitGone waits, after a mutation of t, until no row that should be gone is
// counted and no part of before the mutation is on disk: that a mutation says it
// is done proves neither.
func (s *Store) awaitGone(ctx context.Context, t *table, count func() (uint64, error)) (left sinks.Absence, err error) {
	if err := s.exec(ctx, "sweep_parts", t, nil); err != nil {
		return left, err
	}
	until := newPoll(goneTimeout)
	for {
		var unfinished uint64
		if err := s.queryRow(ctx, "table_leftovers", t, nil, &left.Inactive, &unfinished); err != nil {
			return left, err
		}
		if left.Rows, err = count(); err != nil {
			return left, err
		}
		if left.Active = unfinished; left.Proven() || until.expired() {
			return left, s.durable()
		}
		if err := until.wait(ctx); err != nil {
			return left, err
		}
	}
}
