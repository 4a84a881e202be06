package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/sinks"
)

// maxStaged bounds the entries that a crash leaves to be settled, and that every
// batch stages again.
const maxStaged = 256

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
// soon as they are durable. Their tiles are written when much is staged, or by
// finish; what that leaves undone, the next batch or the next Open does.
func (w *writer) commit(ctx context.Context, b batch, committed func(time.Time)) error {
	return untilFirst(ctx, func() error { return w.attempt(ctx, b, committed) })
}

// untilFirst does something again for as long as another writer is faster.
func untilFirst(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// A random pause keeps two from meeting again.
		select {
		case <-time.After(time.Duration(1+rand.IntN(20)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *writer) attempt(ctx context.Context, b batch, committed func(time.Time)) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the lock ends with its file descriptor even if this fails
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
	if err := w.extend(ctx, h, at, b); err != nil {
		return err
	}
	committed(at)
	w.removeStaging(ctx, h)
	if len(w.head.staged) >= maxStaged {
		_ = w.settle(ctx) // the batch is safe; the next look tries again, and reports
	}
	return nil
}

// finish settles what this writer has staged, unless another writer has taken it
// over by staging it again.
func (w *writer) finish(ctx context.Context) error {
	if w.head == nil || len(w.head.staged) == 0 {
		return nil
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the lock ends with its file descriptor even if this fails
	if !w.unchanged(ctx) {
		w.head = nil
		return nil
	}
	return w.settle(ctx)
}

// lock waits for this writer's turn, on a store that has turns.
func (w *writer) lock(ctx context.Context) (unlock func() error, err error) {
	if locker, ok := w.store.(Locker); ok {
		return locker.Lock(ctx)
	}
	return func() error { return nil }, nil
}

// extend is the one way into the log: the batch is staged, together with what
// its predecessors have staged, and the checkpoint swapped. An error means that
// the swap failed or that its result is not known; for the second case the
// staging is left alone.
func (w *writer) extend(ctx context.Context, h *head, at time.Time, b batch) error {
	entries := make([][]byte, len(b.records))
	for i, r := range b.records {
		entries[i] = r.at(at)
	}
	next, err := h.append(entries)
	if err != nil {
		return err
	}
	if next.signed, err = w.sign(next, b.next); err != nil {
		return err
	}
	staging := File{next.stagingName(), encodeStaging(next.settled.tree.size, next.staged)}
	w.head = nil
	name := yearName(h.year) + "/" + checkpointName
	if err := w.store.Swap(ctx, name, h.signed, next.signed, staging); err != nil {
		if errors.Is(err, ErrConflict) {
			_ = w.store.Remove(ctx, staging.Name)
		}
		return fmt.Errorf("swap checkpoint: %w", err)
	}
	next.durable = true
	w.head = next
	if b.next != nil {
		return w.use(b.next)
	}
	return nil
}

// removeStaging removes what a head has staged after another has staged it again.
// What remains if it fails, the next Open removes.
func (w *writer) removeStaging(ctx context.Context, h *head) {
	if len(h.staged) > 0 {
		_ = w.store.Remove(ctx, h.stagingName())
	}
}

func (w *writer) sign(h *head, nextKey Signer) ([]byte, error) {
	signers := []note.Signer{w.signer}
	if nextKey != nil {
		if err := w.checkNext(nextKey); err != nil {
			return nil, err
		}
		signers = append(signers, nextKey)
	}
	return signCheckpoint(h.checkpoint(w.signer.Name()), signers...)
}

// settle writes the tiles of what is staged and only then gives up what they make
// superfluous. It may run any number of times, by several writers at once.
func (w *writer) settle(ctx context.Context) error {
	h := *w.head
	if len(h.staged) == 0 {
		return nil
	}
	if !h.durable {
		// Whoever swapped it in may have died before it was durable. There may
		// be no tiles of a checkpoint that can be lost again.
		name := yearName(h.year) + "/" + checkpointName
		if err := w.store.Swap(ctx, name, h.signed, h.signed); err != nil {
			return fmt.Errorf("confirm checkpoint: %w", err)
		}
		h.durable = true
	}
	g := h.settled.grow(h.year, h.staged)
	files := g.tiles
	if h.last.newKey != (sinks.PublicKey{}) {
		files = append(files, File{g.dir + rotationName(h.tree.size), h.signed})
	}
	if err := w.store.Write(ctx, files...); err != nil {
		return fmt.Errorf("write tiles: %w", err)
	}
	for _, name := range g.obsolete {
		if err := w.store.Remove(ctx, name); err != nil {
			return fmt.Errorf("remove partial tiles: %w", err)
		}
	}
	if err := w.store.Remove(ctx, h.stagingName()); err != nil {
		return fmt.Errorf("remove staging: %w", err)
	}
	h.settled, h.staged = g.edge, nil
	w.head = &h
	return nil
}

// look returns the end of the log. What this writer remembers counts only if the
// checkpoint is still the same.
func (w *writer) look(ctx context.Context) (*head, error) {
	if w.head == nil || !w.unchanged(ctx) {
		w.head = nil
		h, err := w.load(ctx)
		if err != nil || h.signed == nil {
			return h, err
		}
		w.head = h
	}
	if len(w.head.staged) >= maxStaged || w.head.last.newKey != (sinks.PublicKey{}) {
		if err := w.settle(ctx); err != nil {
			return nil, err
		}
	}
	return w.head, nil
}

func (w *writer) unchanged(ctx context.Context) bool {
	signed, err := w.store.Read(ctx, yearName(w.head.year)+"/"+checkpointName)
	return err == nil && bytes.Equal(signed, w.head.signed)
}

// load reads the newest checkpoint and what leads to it.
func (w *writer) load(ctx context.Context) (*head, error) {
	v, err := newestView(ctx, w.store)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return emptyHead(0), nil
	}
	name := v.name(checkpointName)
	if _, _, err := openCheckpoint(v.signed, w.verifier); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h, err := loadHead(ctx, v)
	if errors.Is(err, fs.ErrNotExist) {
		// Another writer may have moved on and removed the staging.
		if errors.Is(w.store.Swap(ctx, name, v.signed, v.signed), ErrConflict) {
			return nil, ErrConflict
		}
		return nil, fmt.Errorf("%w: %w", err, errDamaged)
	}
	if err != nil {
		return nil, err
	}
	if k := h.last.newKey; k != (sinks.PublicKey{}) && k != w.signer.PublicKey() {
		return nil, ErrKeyRotated
	}
	return h, nil
}
