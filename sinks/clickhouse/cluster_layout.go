package clickhouse

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

// place is a node as system.clusters has it.
type place struct {
	sinks.Node
	address string
}

// layout are the nodes of a cluster.
type layout []place

// shards returns how many there are.
func (l layout) shards() uint32 { return l[len(l)-1].Shard }

func (l layout) nodes(o Options) (nodes []*node) {
	for _, p := range l {
		of := o
		of.Addresses, of.node = []string{p.address}, p.Node
		nodes = append(nodes, &node{Node: p.Node, options: of})
	}
	return nodes
}

// layoutOf reads from a server's configuration which nodes a cluster has.
func (s *Store) layoutOf(ctx context.Context, cluster string) (l layout, err error) {
	var control layout
	err = s.query(ctx, "cluster_nodes", nil, parameters{"cluster": cluster, "control": cluster + controlSuffix}, func(r driver.Rows) error {
		var name, host string
		var port uint16
		var p place
		if err := r.Scan(&name, &p.Shard, &p.Replica, &host, &port); err != nil {
			return err
		}
		p.address = net.JoinHostPort(host, strconv.Itoa(int(port)))
		if name == cluster {
			l = append(l, p)
		} else {
			control = append(control, p)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(l) == 0:
		return nil, fmt.Errorf("%w: <remote_servers> names no cluster %q", ErrCluster, cluster)
	case len(control) != 1 || control[0].address != l[0].address:
		return nil, fmt.Errorf("%w: <remote_servers> has to name a cluster %q with one shard, %s: by it the other nodes read what Lapse notes on the first", ErrCluster, cluster+controlSuffix, l[0].address)
	}
	return l, nil
}

// mark is what a node remembers of its cluster. Rows are found where they were put only as
// long as that stays the same.
type mark struct {
	installation uuid.UUID
	sinks.Node
	shards, nodes uint32
}

func (s *Store) mark(ctx context.Context) (m mark, marked bool, err error) {
	err = s.query(ctx, "node_mark", s.db, nil, func(r driver.Rows) error {
		marked = true
		return r.Scan(&m.installation, &m.Shard, &m.Replica, &m.shards, &m.nodes)
	})
	return m, marked, err
}

// check holds the layout against what a node remembers.
func (l layout) check(m mark, is sinks.Node) error {
	if m.shards != l.shards() || int(m.nodes) != len(l) || m.Node != is {
		return fmt.Errorf("%w: the server of shard %s was shard %s of %d, with %d nodes in all, when the rows were stored, and now there are %d shards and %d nodes: a cluster keeps its shards and replicas", ErrCluster, is, m.Node, m.shards, m.nodes, l.shards(), len(l))
	}
	return nil
}

// found marks the nodes of a cluster, the first of them last: until that is done nothing
// is stored.
func (c *Cluster) found(ctx context.Context) error {
	id := uuid.New()
	for _, n := range slices.Backward(c.nodes) {
		s, err := n.connect(ctx)
		if err == nil {
			err = s.prepareControl(ctx)
		}
		var rows uint64
		if err == nil {
			err = s.queryRow(ctx, "rows_before", s.db, nil, &rows)
		}
		if err == nil && rows > 0 {
			err = fmt.Errorf("%w: there are %d rows in its tables already: begin a cluster with empty ones, or with another clickhouse.database_prefix", ErrCluster, rows)
		}
		if err == nil {
			err = s.insert(ctx, "insert_node_mark", s.db, 1, func(int) []any { return []any{id, n.Shard, n.Replica, c.layout.shards(), uint32(len(c.nodes))} })
		}
		if err != nil {
			return c.named(n, fmt.Errorf("begin the cluster: %w", err))
		}
	}
	return nil
}
