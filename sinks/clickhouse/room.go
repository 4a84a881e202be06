package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/dustin/go-humanize"

	"github.com/facesoft/lapse/sinks"
)

// checkRoom makes sure that copies of the partitions fit on the disk. Where the server
// does not say how much is free, nothing is refused.
func (s *Store) checkRoom(ctx context.Context, t *table, partitions []string) error {
	var bytes uint64
	err := ifKnown(s.queryRow(ctx, "partition_bytes", t, parameters{"partitions": arrayOf(partitions)}, &bytes))
	if err != nil {
		return err
	}
	room, err := s.Room(ctx, bytes)
	if err != nil || room.Enough() {
		return err
	}
	return fmt.Errorf("%w: %d partitions of %s need %s of the disk for a while, and %s are free; make room, and run it again",
		sinks.ErrUnavailable, len(partitions), t.Name, humanize.IBytes(room.Needed), humanize.IBytes(room.Free))
}

// Room says whether copies of partitions of so many bytes fit on the disk: what is decided
// on and what is published of them are at most as large as they are, and the latter lies
// there twice for a moment, staged and published.
func (s *Store) Room(ctx context.Context, bytes uint64) (sinks.Room, error) {
	room := sinks.Room{Needed: 3*bytes + s.reserve}
	err := ifKnown(s.query(ctx, "disks", nil, nil, func(r driver.Rows) error {
		var name string
		var left, total uint64
		err := r.Scan(&name, &left, &total)
		if !room.Known || left < room.Free {
			room.Free, room.Known = left, true
		}
		return err
	}))
	return room, err
}
