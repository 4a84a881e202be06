package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/sinks"
)

// Prepare makes and checks the tables of every node; see Store.Prepare. A node that does
// not answer is prepared when it is needed, unless it is the first or there was none yet.
func (c *Cluster) Prepare(ctx context.Context) error {
	first := c.nodes[0].store
	if err := first.prepareControl(ctx); err != nil {
		return c.named(c.nodes[0], fmt.Errorf("prepare clickhouse: %w", err))
	}
	known, marked, err := first.mark(ctx)
	switch {
	case err != nil:
		return err
	case c.layout == nil && marked:
		return fmt.Errorf("%w: this server is one of %d nodes, and the rows are on all of them: set clickhouse.cluster", ErrCluster, known.nodes)
	case c.layout == nil:
		return first.prepareTables(ctx)
	case !marked:
		err = c.found(ctx)
	default:
		err = c.layout.check(known, first.node)
	}
	if err != nil {
		return err
	}
	if err := first.prepareTables(ctx); err != nil {
		return c.named(c.nodes[0], err)
	}
	_, err = on(ctx, c, c.nodes[1:], func(context.Context, *Store) (struct{}, error) { return struct{}{}, nil })
	return withoutUnavailable(err)
}

// withoutUnavailable leaves out what met nodes that did not answer.
func withoutUnavailable(err error) error {
	errs := []error{err}
	if several, ok := err.(*multierror.Error); ok { //nolint:errorlint // as gather made it
		errs = slices.Clone(several.Errors)
	}
	return gather(slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, sinks.ErrUnavailable) }))
}

// prepareNode makes and checks the tables of a node other than the first.
func (c *Cluster) prepareNode(ctx context.Context, s *Store) error {
	if err := s.prepareControl(ctx); err != nil {
		return err
	}
	own, marked, err := s.mark(ctx)
	if err != nil {
		return err
	}
	known, _, err := c.mark(ctx)
	switch {
	case err != nil:
		return err
	case !marked || own.installation != known.installation:
		return fmt.Errorf("%w: this server has no mark of this installation: it is another one, or has lost its tables; restore them from a backup", ErrCluster)
	}
	if err := c.layout.check(own, s.node); err != nil {
		return err
	}
	sees, err := s.layoutOf(ctx, s.cluster)
	if err == nil && !slices.Equal(sees, c.layout) {
		err = fmt.Errorf("%w: <remote_servers> of this node lists others for %q than the first node's", ErrCluster, s.cluster)
	}
	if err == nil {
		err = s.shareControl(ctx)
	}
	if err != nil {
		return err
	}
	return s.prepareTables(ctx)
}

// shareControl lets the node read control tables where they are.
func (s *Store) shareControl(ctx context.Context) error {
	live, err := s.live(ctx)
	if err != nil {
		return err
	}
	for _, name := range sharedControl {
		if t := live[s.db.Control+"."+name]; t != nil && t.engine == distributedEngine {
			continue
		}
		data := map[string]string{"Control": s.db.Control, "Name": name, "Cluster": s.cluster + controlSuffix}
		if err := s.exec(ctx, "share_control", data, nil); err != nil {
			return err
		}
	}
	return nil
}
