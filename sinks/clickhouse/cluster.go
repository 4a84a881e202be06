package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/sinks"
)

// Cluster is the ClickHouse of an installation: one server, or all nodes of a cluster.
//
// Personal and published rows are spread over the shards, and every replica of a shard
// has all of its rows; the tables of each node are its own. The first node, of which the
// Store here is, keeps the control tables besides. What one node cannot do keeps no other
// from doing it: results of the others come together with its error.
type Cluster struct {
	*Store
	nodes  []*node // in the order of shards and replicas
	layout layout
}

// controlSuffix ends the name of the cluster that the first node is the only one of.
const controlSuffix = "_control"

// ErrCluster means that the servers' configuration and what was stored earlier do not fit
// together, or Lapse's settings do not.
var ErrCluster = errors.New("the cluster is not as it should be")

// node is one server.
type node struct {
	sinks.Node
	options Options

	mu     sync.Mutex
	store  *Store
	ready  bool      // its tables are as the policy has them
	err    error     // why it could not be used
	failed time.Time // when that was
}

func (n *node) name() string { return fmt.Sprintf("shard %s (%s)", n.Node, n.options.Addresses[0]) }

// OpenCluster connects to the server that o names, or to the first node of its cluster,
// and to the others when they are needed. It changes nothing there; see Prepare.
func OpenCluster(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{nodes: []*node{{options: o}}}
	if o.Cluster != "" {
		if err := o.canSpread(); err != nil {
			return nil, err
		}
		asked := o
		asked.Cluster = ""
		s, err := Open(ctx, asked)
		if err != nil {
			return nil, err
		}
		c.layout, err = s.layoutOf(ctx, o.Cluster)
		if err = errors.Join(err, s.Close()); err != nil {
			return nil, err
		}
		c.nodes = c.layout.nodes(o)
	}
	var err error
	c.Store, err = c.nodes[0].connect(ctx)
	return c, err
}

// First says how to reach the first node, or the only server.
func (c *Cluster) First() Options { return c.nodes[0].options }

// canSpread refuses datasets whose people could not be counted on a shard: a visitor's
// rows and those that tie the visitor to somebody must meet there, and rows are spread by
// one identifier.
func (o Options) canSpread() error {
	for i := range o.Policy.Datasets {
		if d := &o.Policy.Datasets[i]; len(d.Subject) > 2 {
			return fmt.Errorf("%w: in a cluster people are told apart by one or two columns, and the dataset %s has %d", ErrCluster, d.Name, len(d.Subject))
		}
	}
	return nil
}

// connect returns the server, connected, and changes nothing there.
func (n *node) connect(ctx context.Context) (*Store, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.connected(ctx)
}

func (n *node) connected(ctx context.Context) (_ *Store, err error) {
	if n.store == nil {
		n.store, err = Open(ctx, n.options)
	}
	return n.store, err
}

// use returns the server with its tables prepared. What has failed is not tried again
// for a while.
func (n *node) use(ctx context.Context, c *Cluster) (*Store, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.ready || n == c.nodes[0]:
		return n.store, nil
	case n.err != nil && time.Since(n.failed) < restTime:
		return nil, n.err
	}
	s, err := n.connected(ctx)
	if err == nil {
		err = c.prepareNode(ctx, s)
	}
	n.ready, n.err, n.failed = err == nil, Redact(err), time.Now()
	return s, n.err
}

// on does something on nodes, side by side, and returns what came of it on those where it
// succeeded, in their order, with what met the others.
func on[T any](ctx context.Context, c *Cluster, nodes []*node, do func(context.Context, *Store) (T, error)) ([]T, error) {
	results, errs := make([]*T, len(nodes)), make([]error, len(nodes))
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			s, err := n.use(ctx, c)
			if err == nil {
				var result T
				if result, err = do(ctx, s); err == nil {
					results[i] = &result
				}
			}
			errs[i] = c.named(n, err)
		})
	}
	all.Wait()
	var done []T
	for _, r := range results {
		if r != nil {
			done = append(done, *r)
		}
	}
	return done, gather(errs)
}

// gather makes one error of those that there are.
func gather(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 1 {
		return errs[0]
	}
	return multierror.Append(nil, errs...).ErrorOrNil()
}

// named says which of several nodes an error is about.
func (c *Cluster) named(n *node, err error) error {
	if err == nil || len(c.nodes) == 1 {
		return err
	}
	return fmt.Errorf("%s: %w", n.name(), err)
}

// readers are one replica of each shard.
func (c *Cluster) readers() (nodes []*node) {
	for _, n := range c.nodes {
		if n.Replica <= 1 {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// keeping returns the nodes that keep rows of a dataset: what could not be read, and the
// training register, is with the control tables.
func (c *Cluster) keeping(dataset string) []*node {
	if t := c.tables[dataset]; t != nil && t.Database == c.db.Control {
		return c.nodes[:1]
	}
	return c.nodes
}

// at returns the node that a partition is on.
func (c *Cluster) at(p sinks.Partition) (*node, error) {
	for _, n := range c.nodes {
		if n.Node == p.Node() || len(c.nodes) == 1 && p.Shard == 0 {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no node for %s any more", ErrCluster, p)
}

// first reports whether the control tables are on this server.
func (s *Store) first() bool {
	return s.node == sinks.Node{} || s.node == sinks.Node{Shard: 1, Replica: 1}
}

// SweepStages removes what killed runs have left on all nodes; see Store.SweepStages.
func (c *Cluster) SweepStages(ctx context.Context) error {
	_, err := on(ctx, c, c.nodes, func(ctx context.Context, s *Store) (struct{}, error) { return struct{}{}, s.SweepStages(ctx) })
	return withoutUnavailable(err)
}

// Close closes the connections.
func (c *Cluster) Close() (err error) {
	for _, n := range c.nodes {
		n.mu.Lock()
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
		n.mu.Unlock()
	}
	return err
}

// InspectNodes calls each with what a run would meet on every node, named where there are
// several, or with why that cannot be said; see Store.Inspect. It changes nothing there.
func (c *Cluster) InspectNodes(ctx context.Context, each func(name string, found *Inspection, err error)) {
	for _, n := range c.nodes {
		var found *Inspection
		s, err := n.connect(ctx)
		if err == nil {
			found, err = s.Inspect(ctx)
		}
		if err == nil && found.Prepared && found.Schema == nil {
			n.mu.Lock()
			n.ready = true // so that nothing is made there
			n.mu.Unlock()
		}
		name := ""
		if len(c.nodes) > 1 {
			name = n.name()
		}
		each(name, found, err)
	}
}
