package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Intake = (*Cluster)(nil)

// Insert implements sinks.Intake. Each row goes to all replicas of its shard, under the
// same token: a repetition completes what is missing on any of them.
func (c *Cluster) Insert(ctx context.Context, b *sinks.Block, token sinks.ID) error {
	t, err := c.table(b.Dataset)
	if err != nil {
		return err
	}
	nodes := c.keeping(b.Dataset)
	blocks := []*sinks.Block{b}
	if len(nodes) > 1 && c.layout.shards() > 1 {
		blocks = t.spread(b, c.layout.shards())
	}
	_, err = on(ctx, c, nodes, func(ctx context.Context, s *Store) (struct{}, error) {
		part := blocks[0]
		if len(blocks) > 1 {
			part = blocks[s.node.Shard-1]
		}
		if part.Rows() == 0 {
			return struct{}{}, nil
		}
		return struct{}{}, s.Insert(ctx, part, token)
	})
	return err
}

// spread divides the rows of a block among shards, by a hash of what has to meet there.
//
// People are counted in a day's rows, where a visitor is taken for the user whose id
// stands beside the visitor's in some other row. Both rows have the weaker identifier in
// common, so by that they are spread; a user with two devices then counts once on each of
// their shards. In a table that is not divided by days people are erased whole, so all
// that has the same strongest identifier has to go at once. Who has none is spread by the
// record: copies of it still meet.
func (t *table) spread(b *sinks.Block, shards uint32) []*sinks.Block {
	of := make([]uint32, b.Rows())
	for i, record := range b.Records {
		of[i] = uint32(record.Bits() % uint64(shards))
	}
	for _, name := range t.spreadBy() { // the last one that a row has decides
		i := slices.IndexFunc(b.Columns, func(c *sinks.Column) bool { return c.Name == name })
		if i < 0 {
			continue
		}
		b.Columns[i].EachText(func(row int, text []byte) {
			if len(text) > 0 {
				of[row] = uint32(xxh3.Hash(text) % uint64(shards))
			}
		})
	}
	blocks := make([]*sinks.Block, shards)
	chosen := make([]bool, b.Rows())
	for shard := range blocks {
		for i := range of {
			chosen[i] = of[i] == uint32(shard)
		}
		blocks[shard] = b.Clone()
		b.CopyTo(chosen, blocks[shard])
	}
	return blocks
}

// spreadBy returns the columns that rows are spread by, the one that counts most last.
func (t *table) spreadBy() []string {
	if t.dataset == nil {
		return nil
	}
	columns := slices.Clone(t.dataset.Subject)
	if !t.byDay() {
		slices.Reverse(columns)
	}
	return columns
}

// Known implements sinks.Intake. A record that is missing on one replica is not known: it
// is to be stored there.
func (c *Cluster) Known(ctx context.Context, dataset string, records []sinks.ID, first, last sinks.Day) (map[sinks.ID]sinks.RowOrigin, error) {
	type found struct {
		shard   uint32
		records map[sinks.ID]sinks.RowOrigin
	}
	all, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (found, error) {
		known, err := s.Known(ctx, dataset, records, first, last)
		return found{s.node.Shard, known}, err
	})
	if err != nil {
		return nil, err
	}
	known := map[sinks.ID]sinks.RowOrigin{}
	for shard, replicas := 0, []found(nil); shard < len(all); shard += len(replicas) {
		next := slices.IndexFunc(all[shard:], func(f found) bool { return f.shard != all[shard].shard })
		if replicas = all[shard:]; next > 0 {
			replicas = replicas[:next]
		}
		for id, origin := range replicas[0].records {
			if !slices.ContainsFunc(replicas[1:], func(f found) bool { _, has := f.records[id]; return !has }) {
				known[id] = origin
			}
		}
	}
	return known, nil
}

// Records implements sinks.Intake.
func (c *Cluster) Records(ctx context.Context, dataset string, first, last sinks.Day, each func([]sinks.ID)) error {
	for _, n := range c.keeping(dataset) {
		s, err := n.use(ctx, c)
		if err == nil {
			err = s.Records(ctx, dataset, first, last, each)
		}
		if err != nil {
			return c.named(n, err)
		}
	}
	return nil
}

// StoredRows implements sinks.Intake. The replicas of a shard must have the same.
func (c *Cluster) StoredRows(ctx context.Context, dataset string, source uint64, first, last sinks.Day) (map[sinks.Day]uint64, error) {
	type stored struct {
		sinks.Node
		days map[sinks.Day]uint64
	}
	all, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (stored, error) {
		days, err := s.StoredRows(ctx, dataset, source, first, last)
		return stored{s.node, days}, err
	})
	if err != nil {
		return nil, err
	}
	sum := map[sinks.Day]uint64{}
	var of stored // the first replica of the shard
	for _, one := range all {
		if one.Replica > 1 {
			for day := range union(one.days, of.days) {
				if one.days[day] != of.days[day] {
					return nil, fmt.Errorf("%w: of one file shard %s has %d rows of %s in %s, and another of its replicas has %d", sinks.ErrVerification, one.Node, one.days[day], day, dataset, of.days[day])
				}
			}
			continue
		}
		of = one
		for day, n := range one.days {
			sum[day] += n
		}
	}
	return sum, nil
}

// union has the keys of both.
func union(a, b map[sinks.Day]uint64) map[sinks.Day]bool {
	keys := map[sinks.Day]bool{}
	for _, m := range []map[sinks.Day]uint64{a, b} {
		for k := range m {
			keys[k] = true
		}
	}
	return keys
}

// OpenBatches implements sinks.Intake. A day that is sealed on one node is so on all. The
// batch of a table that is one partition grows with a deletion on any node.
func (c *Cluster) OpenBatches(ctx context.Context, dataset string, days []sinks.Day) (map[sinks.Day]uint32, error) {
	t, err := c.table(dataset)
	if err != nil {
		return nil, err
	}
	if t.byDay() {
		return c.Store.OpenBatches(ctx, dataset, days)
	}
	batches, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (uint32, error) { return s.generation(ctx, t) })
	if err != nil {
		return nil, err
	}
	var sum uint32
	for _, batch := range batches {
		sum += batch
	}
	open := make(map[sinks.Day]uint32, len(days))
	for _, d := range days {
		open[d] = sum
	}
	return open, nil
}

var errSeveralNodes = errors.New("partitions of several nodes cannot be published together")
