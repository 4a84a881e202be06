package clickhouse

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.PersonalTables = (*Cluster)(nil)
	_ sinks.Publisher      = (*Cluster)(nil)
	_ sinks.Overview       = (*Cluster)(nil)
)

// onAll gathers lists from the nodes that keep a dataset.
func onAll[T any](ctx context.Context, c *Cluster, dataset string, do func(context.Context, *Store) ([]T, error)) ([]T, error) {
	lists, err := on(ctx, c, c.keeping(dataset), do)
	return slices.Concat(lists...), err
}

// onTheirs gathers what is found of partitions on the nodes that they are on.
func onTheirs[V any](ctx context.Context, c *Cluster, partitions []sinks.Partition, do func(context.Context, *Store, []sinks.Partition) (map[sinks.Partition]V, error)) (map[sinks.Partition]V, error) {
	some, nodes, err := c.divide(partitions)
	if err != nil {
		return nil, err
	}
	found, err := on(ctx, c, nodes, func(ctx context.Context, s *Store) (map[sinks.Partition]V, error) { return do(ctx, s, some[s.node]) })
	all := make(map[sinks.Partition]V, len(partitions))
	for _, m := range found {
		maps.Copy(all, m)
	}
	return all, err
}

// divide divides partitions among the nodes that they are on.
func (c *Cluster) divide(partitions []sinks.Partition) (map[sinks.Node][]sinks.Partition, []*node, error) {
	some := map[sinks.Node][]sinks.Partition{}
	var nodes []*node
	for _, p := range partitions {
		n, err := c.at(p)
		if err != nil {
			return nil, nil, err
		}
		if some[n.Node] == nil {
			nodes = append(nodes, n)
		}
		some[n.Node] = append(some[n.Node], p)
	}
	return some, nodes, nil
}

// Partitions implements sinks.PersonalTables.
func (c *Cluster) Partitions(ctx context.Context, dataset string, before sinks.Day) ([]sinks.PartitionStats, error) {
	return onAll(ctx, c, dataset, func(ctx context.Context, s *Store) ([]sinks.PartitionStats, error) {
		return s.Partitions(ctx, dataset, before)
	})
}

// Holdings implements sinks.PersonalTables.
func (c *Cluster) Holdings(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Holding, error) {
	return onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]sinks.Holding, error) {
		return s.Holdings(ctx, dataset, some)
	})
}

// Drop implements sinks.PersonalTables.
func (c *Cluster) Drop(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Absence, error) {
	return onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]sinks.Absence, error) {
		return s.Drop(ctx, dataset, some)
	})
}

// Exempt implements sinks.MixedDays.
func (c *Cluster) Exempt(ctx context.Context, dataset string, partitions []sinks.Partition, e sinks.Exemption) (map[sinks.Partition]sinks.Exempt, error) {
	return onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]sinks.Exempt, error) {
		return s.Exempt(ctx, dataset, some, e)
	})
}

// Separate implements sinks.MixedDays.
func (c *Cluster) Separate(ctx context.Context, dataset string, partitions []sinks.Partition, e sinks.Exemption) error {
	_, err := onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]struct{}, error) {
		return nil, s.Separate(ctx, dataset, some, e)
	})
	return err
}

// Filled implements sinks.ExpiringFields.
func (c *Cluster) Filled(ctx context.Context, dataset string, fields map[string]sinks.Day, asOf time.Time) (map[sinks.Partition]uint64, error) {
	found, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (map[sinks.Partition]uint64, error) {
		return s.Filled(ctx, dataset, fields, asOf)
	})
	filled := map[sinks.Partition]uint64{}
	for _, m := range found {
		maps.Copy(filled, m)
	}
	return filled, err
}

// Clear implements sinks.ExpiringFields.
func (c *Cluster) Clear(ctx context.Context, dataset string, partitions []sinks.Partition, fields map[string]sinks.Day, asOf time.Time) (map[sinks.Partition]sinks.Absence, error) {
	return onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]sinks.Absence, error) {
		return s.Clear(ctx, dataset, some, fields, asOf)
	})
}

// Stage implements sinks.Publisher, for partitions of one node.
func (c *Cluster) Stage(ctx context.Context, dataset string, partitions []sinks.Partition) (sinks.Staged, error) {
	_, nodes, err := c.divide(partitions)
	if err == nil && len(nodes) != 1 {
		err = errSeveralNodes
	}
	if err != nil {
		return nil, err
	}
	s, err := nodes[0].use(ctx, c)
	if err != nil {
		return nil, c.named(nodes[0], err)
	}
	staged, err := s.Stage(ctx, dataset, partitions)
	return staged, c.named(nodes[0], err)
}

// Publications implements sinks.Publisher.
func (c *Cluster) Publications(ctx context.Context, dataset string, partitions []sinks.Partition) (map[sinks.Partition]sinks.Publication, error) {
	return onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, some []sinks.Partition) (map[sinks.Partition]sinks.Publication, error) {
		return s.Publications(ctx, dataset, some)
	})
}

// RecordPublications implements sinks.Publisher: each is recorded beside what it is about.
func (c *Cluster) RecordPublications(ctx context.Context, pubs []sinks.Publication) error {
	partitions := make([]sinks.Partition, len(pubs))
	for i, p := range pubs {
		partitions[i] = p.Partition
	}
	_, err := onTheirs(ctx, c, partitions, func(ctx context.Context, s *Store, _ []sinks.Partition) (map[sinks.Partition]struct{}, error) {
		return nil, s.RecordPublications(ctx, slices.DeleteFunc(slices.Clone(pubs), func(p sinks.Publication) bool { return p.Node() != s.node }))
	})
	return err
}

// Unpublished implements sinks.Publisher.
func (c *Cluster) Unpublished(ctx context.Context, dataset string, before sinks.Day) ([]sinks.PartitionStats, error) {
	return onAll(ctx, c, dataset, func(ctx context.Context, s *Store) ([]sinks.PartitionStats, error) {
		return s.Unpublished(ctx, dataset, before)
	})
}

// Early implements sinks.Publisher.
func (c *Cluster) Early(ctx context.Context, dataset string) ([]sinks.Publication, error) {
	return onAll(ctx, c, dataset, func(ctx context.Context, s *Store) ([]sinks.Publication, error) { return s.Early(ctx, dataset) })
}

// EachRow implements sinks.TableExport: one shard after the other.
func (c *Cluster) EachRow(ctx context.Context, dataset string, personal bool, first, last sinks.Day, format sinks.RowFormat, each func(string) error) error {
	for _, n := range c.readers() {
		s, err := n.use(ctx, c)
		if err == nil {
			err = s.EachRow(ctx, dataset, personal, first, last, format, each)
		}
		if err != nil {
			return c.named(n, err)
		}
	}
	return nil
}

// Status implements sinks.Overview. Every shard counts once. Without some of them, what
// there is on the others comes with the error.
func (c *Cluster) Status(ctx context.Context) (*sinks.Status, error) {
	all, err := on(ctx, c, c.readers(), func(ctx context.Context, s *Store) (*sinks.Status, error) { return s.Status(ctx) })
	if len(all) == 0 {
		return nil, err
	}
	st := all[0] // the first node's, which has the counts of the control tables
	for _, other := range all[1:] {
		for i := range st.Datasets {
			st.Datasets[i].Add(other.Datasets[i])
		}
	}
	return st, err
}

// Room says whether copies of so many bytes fit on the disk of every node.
func (c *Cluster) Room(ctx context.Context, bytes uint64) (least sinks.Room, err error) {
	rooms, err := on(ctx, c, c.nodes, func(ctx context.Context, s *Store) (sinks.Room, error) { return s.Room(ctx, bytes) })
	for i, r := range rooms {
		if i == 0 || r.Known && (!least.Known || r.Free < least.Free) {
			least = r
		}
	}
	if len(rooms) > 0 && errors.Is(err, sinks.ErrUnavailable) {
		err = nil // nothing can be done on those nodes anyway
	}
	return least, err
}
