package jobs

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

// group is a run of a source's lines whose rows are stored together, one insert for
// each dataset, while the next group is being read.
type group struct {
	reader  *sourceReader
	index   int
	working *errgroup.Group
}

func newGroup(r *sourceReader, index int) *group {
	return &group{r, index, new(errgroup.Group)}
}

// store stores the rows of an outlet and leaves its block empty. It returns at once.
func (g *group) store(ctx context.Context, o *outlet) {
	if o.rows.Rows() == 0 {
		o.rows.Reset()
		return
	}
	if o.leaving == nil {
		o.leaving = o.rows.Clone()
	}
	o.rows.Swap(o.leaving)
	admitted := o.admitted
	g.working.Go(func() error {
		defer o.leaving.Reset()
		return g.insert(ctx, o.leaving, admitted)
	})
}

// insert stores a block, each row in the open batch of its day. Nothing is sealed in
// between.
func (g *group) insert(ctx context.Context, b *sinks.Block, admitted sinks.ID) error {
	r := g.reader
	unlock, err := r.Locks.RLock(ctx, sealLock(b.Dataset))
	if err != nil {
		return err
	}
	defer unlock()
	open, err := r.Intake.OpenBatches(ctx, b.Dataset, b.Days)
	if err != nil {
		return err
	}
	var highest uint32
	for batch := range maps.Values(open) {
		highest = max(highest, batch)
	}
	b.Batches = b.Batches[:0]
	for _, day := range b.Days {
		b.Batches = append(b.Batches, open[day])
	}
	// The token stands for this place in this source, and for the records there that
	// were admitted, which a decision about consent can change between two runs.
	// ClickHouse looks at nothing else: what it has under the token stays.
	token := sinks.HashID(r.digest.String(), b.Dataset, fmt.Sprint(g.index), fmt.Sprint(highest), admitted.String())
	sinks.Failpoint("ingest.insert")
	return r.Intake.Insert(ctx, b, token)
}

// wait returns when the group is stored. There need not be a group.
func (g *group) wait() error {
	if g == nil {
		return nil
	}
	return g.working.Wait()
}
