package jobs

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

// group is a run of a source's lines whose rows are stored together, one insert for
// each dataset, while the next groups are being read.
type group struct {
	reader  *sourceReader
	working *errgroup.Group
	leaving []departure
	done    chan error
}

// departure is a block of a group on its way from an outlet to the store.
type departure struct {
	from *outlet
	rows *sinks.Block
}

func newGroup(r *sourceReader) *group {
	return &group{reader: r, working: new(errgroup.Group)}
}

// store stores some rows of an outlet and leaves their block empty. It returns at once.
// Place is where the records stood in the source, and admitted stands for them all; both
// are the same whenever the source is read.
func (g *group) store(ctx context.Context, o *outlet, rows *sinks.Block, place string, admitted sinks.ID) {
	g.depart(o, rows, func(b *sinks.Block) error { return g.insert(ctx, b, place, admitted) })
}

// depart takes rows from an outlet and has them stored.
func (g *group) depart(o *outlet, rows *sinks.Block, store func(*sinks.Block) error) {
	if rows.Rows() == 0 {
		rows.Reset()
		return
	}
	b := o.spare()
	rows.Swap(b)
	g.leaving = append(g.leaving, departure{o, b})
	g.working.Go(func() error { return store(b) })
}

// insert stores a block, each row in the open batch of its day. Nothing is sealed in
// between.
func (g *group) insert(ctx context.Context, b *sinks.Block, place string, admitted sinks.ID) error {
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
	token := sinks.HashID(r.digest.String(), b.Dataset, place, fmt.Sprint(highest), admitted.String())
	sinks.Failpoint("ingest.insert")
	return r.Intake.Insert(ctx, b, token)
}

// leaveAfter calls each of leave when the group is stored, whether or not anybody waits
// for it.
func (g *group) leaveAfter(leave []func()) {
	g.done = make(chan error, 1)
	go func() {
		err := g.working.Wait()
		for _, l := range leave {
			if l != nil {
				l()
			}
		}
		g.done <- err
	}()
}

// wait returns when the group is stored, and gives the outlets their blocks back.
func (g *group) wait() error {
	err := <-g.done
	for _, d := range g.leaving {
		d.rows.Reset()
		d.from.spares = append(d.from.spares, d.rows)
	}
	return err
}
