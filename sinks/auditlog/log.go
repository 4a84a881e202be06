package auditlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Errors of a Log.
var (
	// ErrClosed means that Close has been called.
	ErrClosed = errors.New("audit log is closed")
	// ErrKeyRotated means that the log has gone over to another key: the
	// process must be started again with that key.
	ErrKeyRotated = errors.New("audit log's key has been rotated; use the new key")
	// ErrWrongKey means that the newest checkpoint is not signed by the key: it
	// is of another log, or has been rotated for some time.
	ErrWrongKey = errors.New("audit log is not signed by this key")
)

var _ sinks.AuditLog = (*Log)(nil)

// Log is an open log. Its methods may be called by any number of goroutines, and
// any number of processes may have the same log open: whatever arrives while a
// batch is being written goes into the next batch, and batches of several
// processes follow each other.
type Log struct {
	store Store

	mu      sync.Mutex
	pending []*request
	leading bool // a goroutine is writing batches
	closed  bool
	leaders sync.WaitGroup
	stirred chan struct{} // something is pending, or the log is closed

	writer *writer // owned by the leader
}

// request is a batch somebody waits for.
type request struct {
	batch
	ids  []sinks.ID
	done chan struct{} // closed when the fields below are set
	at   time.Time
	err  error
}

// Open opens the log in a store, or makes one with the first Append. It finishes
// what a crash has interrupted. The key must be the one that signed the log's
// newest checkpoint; its name is the log's name. All times come from now, which
// several goroutines may call.
func Open(ctx context.Context, store Store, key Signer, now func() time.Time) (*Log, error) {
	l := &Log{store: store, stirred: make(chan struct{}, 1)}
	l.writer = &writer{store: store, now: now}
	err := l.writer.use(key)
	if err == nil {
		err = untilFirst(ctx, func() error { return l.writer.open(ctx) })
	}
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, nil
}

func (w *writer) open(ctx context.Context) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the lock ends with its file descriptor even if this fails
	h, err := w.look(ctx)
	if err != nil || h.signed == nil {
		return err
	}
	if err := w.settle(ctx); err != nil {
		return err
	}
	return w.sweep(ctx, h)
}

// sweep removes what writers staged for a size that the log has passed without
// them: such a batch can never be committed. One for a larger size may be.
func (w *writer) sweep(ctx context.Context, h *head) error {
	dir := yearName(h.year) + "/"
	for name, err := range w.store.List(ctx, dir+stagingDir) {
		if err != nil {
			return err
		}
		if size, ok := parseStagingName(name[len(dir):]); ok && size <= h.tree.size {
			if err := w.store.Remove(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Append implements sinks.AuditLog. Entries of one call, and of the calls that
// are written together with it, have the same time. If ctx ends first, the
// entries may still enter the log afterwards, or not.
func (l *Log) Append(ctx context.Context, entries ...*sinks.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	r, err := newRequest(entries)
	if err == nil {
		err = l.submit(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	for i, e := range entries {
		e.Format, e.ID, e.Time = sinks.EntryFormat, r.ids[i], r.at
	}
	return nil
}

func newRequest(entries []*sinks.Entry) (*request, error) {
	r := &request{done: make(chan struct{})}
	first := entries[0]
	r.by = provenance{first.Actor, first.Run, first.Policy}
	for _, e := range entries {
		c := *e
		c.Format, c.ID = sinks.EntryFormat, sinks.NewID()
		switch c.Action {
		case sinks.ActionRotateKey, sinks.ActionCloseYear, sinks.ActionOpenYear:
			return nil, errors.New("only the log itself writes about its keys and years")
		}
		record, err := encodeUntimed(&c)
		if err != nil {
			return nil, err
		}
		r.records = append(r.records, record)
		r.ids = append(r.ids, c.ID)
	}
	return r, nil
}

// submit queues a request, sees to it that somebody is writing, and waits.
func (l *Log) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.pending = append(l.pending, r)
	if !l.leading {
		l.leading = true
		l.leaders.Go(l.lead)
	}
	l.mu.Unlock()
	l.stir()

	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		l.withdraw(r)
		return ctx.Err()
	}
}

// withdraw takes back a request that nobody has begun to write.
func (l *Log) withdraw(r *request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(p *request) bool { return p == r })
}

// stir wakes the leader, if it waits.
func (l *Log) stir() {
	select {
	case l.stirred <- struct{}{}:
	default: // it has been told already
	}
}

// Backwards implements sinks.AuditLog.
func (l *Log) Backwards(ctx context.Context) iter.Seq2[*sinks.Entry, error] {
	return Backwards(ctx, l.store)
}

// Close waits until everything is written. Later calls of Append fail with
// ErrClosed. A process that ends without Close loses nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stir()
	l.leaders.Wait()
	return nil
}
