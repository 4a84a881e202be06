package clickhouse

import (
	"context"
	"fmt"
	"math"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/dustin/go-humanize"

	"github.com/facesoft/lapse/sinks"
)

// checkRoom makes sure that copies of the partitions fit on the disk: what is published
// of them is at most as large as they are, and lies there twice for a moment, staged and
// published. Where the server does not say how much is free, nothing is refused.
func (s *Store) checkRoom(ctx context.Context, t *table, partitions []string) error {
	free, known := uint64(math.MaxUint64), false
	err := ifKnown(s.query(ctx, "disks", nil, nil, func(r driver.Rows) error {
		var name string
		var left, total uint64
		err := r.Scan(&name, &left, &total)
		free, known = min(free, left), true
		return err
	}))
	if err != nil || !known {
		return err
	}
	var bytes uint64
	err = ifKnown(s.queryRow(ctx, "partition_bytes", t, parameters{"partitions": arrayOf(partitions)}, &bytes))
	if err != nil {
		return err
	}
	if needed := 2*bytes + s.reserve; free < needed {
		return fmt.Errorf("%w: %d partitions of %s need %s of the disk for a while, and %s are free; make room, and run it again",
			sinks.ErrUnavailable, len(partitions), t.Name, humanize.IBytes(needed), humanize.IBytes(free))
	}
	return nil
}
