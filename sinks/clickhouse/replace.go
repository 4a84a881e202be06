package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// How often a partition is replaced by the same rows until they are there once, and the
// longest wait before it is done again: processes that do so in step would meet again.
const (
	replaceAttempts = 20
	replaceWait     = 50 * time.Millisecond
)

// replacePartition replaces a partition of a table by the rows that are staged for it,
// with a statement that does so.
//
// ClickHouse settles which parts a REPLACE PARTITION replaces a moment before it puts
// the new one in. Of two processes that do the same at the same moment neither replaces what the
// other one brings, and the rows are there twice. Whichever of them ends last sees both, and
// replaces them again.
func (s *Store) replacePartition(ctx context.Context, t *table, p sinks.Partition, rows uint64, statement string, data any) error {
	for attempt := 1; ; attempt++ {
		if err := s.exec(ctx, statement, data, nil); err != nil {
			return err
		}
		now, err := s.countRows(ctx, t, p)
		if err != nil || now <= rows || now%rows != 0 {
			return err // what is missing, or is of somebody else, is for the verification
		}
		if attempt == replaceAttempts {
			return fmt.Errorf("%w: %s of %s was replaced by others at the same moment, %d times", sinks.ErrConflict, p, t.Name, attempt)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(replaceWait)):
		}
	}
}

func (s *Store) countRows(ctx context.Context, t *table, p sinks.Partition) (rows uint64, err error) {
	in := parameters{"partitions": arrayOf(partitionIDs([]sinks.Partition{p}))}
	err = s.query(ctx, "count_parts", map[string]any{"Database": t.Database, "Name": t.Name}, in, func(r driver.Rows) error {
		var id string
		var parts uint64
		return r.Scan(&id, &rows, &parts)
	})
	return rows, err
}
