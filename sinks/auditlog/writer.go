package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/sinks"
)

// writer extends the log by one batch at a time. One goroutine uses it.
type writer struct {
	store    Store
	now      func() time.Time
	signer   Signer
	verifier note.Verifier
	head     *head // as this writer left it; nil if it must be read
}

// batch is a number of entries that enter the log together or not at all.
type batch struct {
	records []untimed
	by      provenance
	next    Signer // of a key rotation: signs too, and alone from then on
}

// provenance is what an entry about the log takes over from the entry that
// made it necessary.
type provenance struct {
	actor  sinks.Actor
	run    sinks.ID
	policy sinks.PolicyRef
}

// commit writes a batch. It tells committed, with the time of the entries, as
// soon as they are durable. What remains to be done then is done before commit
// returns or, if that fails, before the next batch.
func (w *writer) commit(ctx context.Context, b batch, committed func(time.Time)) error {
	for {
		err := w.attempt(ctx, b, committed)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// Another writer was faster. A random pause keeps two from meeting again.
		select {
		case <-time.After(time.Duration(1+rand.IntN(20)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *writer) attempt(ctx context.Context, b batch, committed func(time.Time)) (err error) {
	if locker, ok := w.store.(Locker); ok {
		unlock, err := locker.Lock(ctx)
		if err != nil {
			return err
		}
		defer unlock() // the lock ends with its file descriptor even if this fails
	}
	h, err := w.look(ctx)
	if err != nil {
		return err
	}
	at := instant(w.now())
	if at.Before(h.last.time) {
		at = h.last.time
	}
	if h, err = w.turnYear(ctx, h, at, b.by); err != nil {
		return err
	}
	return w.extend(ctx, h, at, b, func() { committed(at) })
}

// extend is the one way into the log: the batch is staged, the checkpoint
// swapped, and then the tiles written. An error means that the swap failed or
// that its result is not known; the staging is left for the second case.
func (w *writer) extend(ctx context.Context, h *head, at time.Time, b batch, committed func()) error {
	entries := make([][]byte, len(b.records))
	for i, r := range b.records {
		entries[i] = r.at(at)
	}
	g, err := h.grow(entries)
	if err != nil {
		return err
	}
	tree := g.head.tree
	c := Checkpoint{Log: w.signer.Name(), Year: h.year, Size: tree.size, Root: tree.root()}
	signers := []note.Signer{w.signer}
	if b.next != nil {
		if err := w.checkNext(b.next); err != nil {
			return err
		}
		signers = append(signers, b.next)
	}
	if g.head.signed, err = signCheckpoint(c, signers...); err != nil {
		return err
	}
	dir := yearName(h.year) + "/"
	staging := dir + stagingName(c.Size, c.Root)
	if err := w.store.Write(ctx, File{staging, encodeStaging(h.tree.size, entries)}); err != nil {
		return fmt.Errorf("stage batch: %w", err)
	}
	w.head = nil
	if err := w.store.Swap(ctx, dir+checkpointName, h.signed, g.head.signed); err != nil {
		if errors.Is(err, ErrConflict) {
			_ = w.store.Remove(ctx, staging)
		}
		return fmt.Errorf("swap checkpoint: %w", err)
	}
	if b.next != nil {
		if err := w.use(b.next); err != nil {
			return err
		}
	}
	committed()
	if w.settle(ctx, g) == nil {
		w.head = g.head // otherwise the next look settles it, and says if it cannot
	}
	return nil
}

// settle writes the tiles of a committed batch and only then gives up what they
// make superfluous. It may run any number of times, by several writers at once.
func (w *writer) settle(ctx context.Context, g *growth) error {
	h, dir := g.head, yearName(g.head.year)+"/"
	files := g.files
	if h.last.newKey != (sinks.PublicKey{}) {
		files = append(files, File{dir + rotationName(h.tree.size), h.signed})
	}
	if err := w.store.Write(ctx, files...); err != nil {
		return err
	}
	for _, name := range g.obsolete {
		if err := w.store.Remove(ctx, name); err != nil {
			return err
		}
	}
	return w.store.Remove(ctx, dir+stagingName(h.tree.size, h.tree.root()))
}

// look returns the end of the log with all its tiles written. What this writer
// remembers counts only if the checkpoint is still the same.
func (w *writer) look(ctx context.Context) (*head, error) {
	if w.head != nil {
		signed, err := w.store.Read(ctx, yearName(w.head.year)+"/"+checkpointName)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(signed, w.head.signed) {
			return w.head, nil
		}
	}
	w.head = nil
	v, err := newestView(ctx, w.store)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return newHead(0, lastEntry{}), nil
	}
	if _, _, err := openCheckpoint(v.signed, w.verifier); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name(checkpointName), err)
	}
	h, err := w.recover(ctx, v)
	if err != nil {
		return nil, err
	}
	if k := h.last.newKey; k != (sinks.PublicKey{}) && k != w.signer.PublicKey() {
		return nil, ErrKeyRotated
	}
	w.head = h
	return h, nil
}

// recover reads the end of the log and repeats the last batch's settling if its
// staging is still there.
func (w *writer) recover(ctx context.Context, v *view) (*head, error) {
	from, staged, err := loadStaged(ctx, v)
	if err != nil {
		return nil, err
	}
	if staged == nil {
		h, err := loadHead(ctx, v, v.checkpoint.Size)
		if err != nil {
			return nil, err
		}
		h.signed = v.signed
		return h, checkRoot(v, h)
	}
	// The tiles may be written only if the checkpoint cannot be lost any more.
	if err := w.store.Swap(ctx, v.name(checkpointName), v.signed, v.signed); err != nil {
		return nil, err
	}
	before, err := loadHead(ctx, v, from)
	if err != nil {
		return nil, err
	}
	g, err := before.grow(staged)
	if err != nil {
		return nil, errStaging
	}
	g.head.signed = v.signed
	if err := checkRoot(v, g.head); err != nil {
		return nil, err
	}
	return g.head, w.settle(ctx, g)
}

func checkRoot(v *view, h *head) error {
	if h.tree.root() != v.checkpoint.Root {
		return fmt.Errorf("%s: %w", v.name(checkpointName), errDamaged)
	}
	return nil
}
