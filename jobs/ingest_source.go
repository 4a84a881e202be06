package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// sourceReader takes in one source group by group. While one group is being decoded, the one
// before it is being settled, and the one before that stored.
type sourceReader struct {
	*Ingest
	reading    *reading
	source     uint64
	digest     sinks.ID
	account    account
	refused    map[sinks.Count]uint64 // by reason
	outlets    []*outlet              // one for each of the blocks that are read
	quarantine *outlet
	revoked    map[int][]revokedRecord // of the current group, by outlet
	followed   bool                    // groups may follow the current one
	// decided is told of a record that turned out to be stored or a duplicate. It may be
	// nil.
	decided func(position uint64, fate sinks.ReplayFate)

	storing []*group // those before the current one
	leave   func()   // called when the current group is stored
	kept    func()   // called when the rows that are held back are stored; nil if there are none
}

func newSourceReader(j *Ingest, now time.Time, in *input, digest sinks.ID) (*sourceReader, error) {
	reading, err := newReading(j, now, in, digest.Bits())
	if err != nil {
		return nil, err
	}
	r := &sourceReader{Ingest: j, reading: reading, digest: digest, source: digest.Bits(), refused: map[sinks.Count]uint64{}}
	for _, b := range reading.blocks {
		r.outlets = append(r.outlets, newOutlet(r, b.Clone()))
	}
	r.quarantine = r.outlets[len(r.outlets)-1]
	return r, nil
}

// all reads the source to its end.
func (r *sourceReader) all(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	next := r.reading.begin(reading)
	for index := 0; next != nil; index++ {
		err := r.await(ctx, next)
		next = nil
		if err == nil {
			if r.collect(); r.followed {
				next = r.reading.begin(reading)
			}
			err = r.settle(ctx)
		}
		if err == nil {
			err = r.waitStored()
		}
		if err != nil {
			if errors.Is(err, sinks.ErrInvalidInput) { // what could be read stays
				err = errors.Join(err, r.storeHeldBack(ctx))
			}
			if stop(); next != nil {
				<-next //nolint:errcheck // what has been decoded of it is not stored
			}
			r.leaveAll()
			return errors.Join(r.waitStored(), err)
		}
		r.storeGroup(ctx, index, next == nil)
		sinks.Failpoint("ingest.chunk")
	}
	return r.waitStored()
}

// await returns when the next group has been read. If that is not admitted because
// somebody waits for what was admitted before, what is held back of it is stored.
func (r *sourceReader) await(ctx context.Context, next <-chan error) (err error) {
	for {
		select {
		case read := <-next:
			return errors.Join(read, err)
		case <-r.reading.waits:
			if r.kept != nil {
				err = errors.Join(err, r.storeHeldBack(ctx))
			}
		}
	}
}

// collect takes over the group that has been read. What is read next is another.
func (r *sourceReader) collect() {
	g := &r.reading.group
	for i, o := range r.outlets {
		o.rows.Swap(r.reading.blocks[i])
	}
	r.account.merge(&g.account)
	for reason, n := range g.refused {
		r.refused[reason] += n
	}
	r.revoked, r.leave, r.followed = g.revoked, g.leave, g.more
	r.quarantine.on, r.reading.bytes = g.on, 0
	r.reading.group = readGroup{}
}

// waitStored returns when no group is being stored any more.
func (r *sourceReader) waitStored() (err error) {
	for _, g := range r.storing {
		err = errors.Join(err, g.wait())
	}
	r.storing = r.storing[:0]
	return err
}

// settle finds the duplicates in the group that has been read.
func (r *sourceReader) settle(ctx context.Context) error {
	if err := r.settleRevoked(ctx); err != nil {
		return err
	}
	for _, o := range r.outlets {
		if err := o.settle(ctx); err != nil {
			return err
		}
	}
	if r.known.full() { // all but this group is stored or will be, and can be learned anew
		if err := r.waitStored(); err != nil {
			return err
		}
		r.known.reset()
		for _, o := range r.outlets {
			o.covered = 0
			if r.known.follows(o.dataset) {
				r.known.remember(o.rows)
				o.leaving(r.known.remember)
			}
		}
	}
	return nil
}

// storeGroup begins to store the group that has been settled; with the last one, or when
// there are many, the rows that have been held back, too.
func (r *sourceReader) storeGroup(ctx context.Context, index int, last bool) {
	g := newGroup(r)
	for _, o := range r.outlets {
		g.store(ctx, o, o.rows, strconv.Itoa(index), o.admitted)
	}
	leave := []func(){r.leave}
	r.leave = nil
	switch some, many := r.holdsBack(); {
	case some && !last && !many:
		if r.kept == nil { // the group's admission is that of its rows, also the later ones
			r.kept, leave = leave[0], nil
		}
	default:
		r.storeScattered(ctx, g)
		leave = append(leave, r.kept)
		r.kept = nil
	}
	g.leaveAfter(leave)
	r.storing = append(r.storing, g)
}

// check holds the account against the tables.
func (r *sourceReader) check(ctx context.Context) error {
	for _, o := range r.outlets {
		if len(o.stored.days) == 0 {
			continue
		}
		first, last := o.stored.bounds()
		got, err := r.Intake.StoredRows(ctx, o.dataset, r.source, first, last)
		if err != nil {
			return err
		}
		for day, want := range o.stored.days {
			if got[day] != *want {
				return fmt.Errorf("%w: %d rows of %s were stored in %s, the table holds %d", sinks.ErrVerification, *want, day, o.dataset, got[day])
			}
		}
	}
	return nil
}

// sealLock names the lock that a writer of rows shares, and that sealing a
// partition takes alone: when it is sealed, no row is on its way into it.
func sealLock(dataset string) string { return "seal-" + dataset }
