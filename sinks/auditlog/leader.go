package auditlog

import (
	"context"
	"runtime"
	"slices"
	"time"
)

const (
	// commitTimeout bounds the time for one batch on a store that does not answer.
	commitTimeout = 2 * time.Minute
	// gatherTime is short beside the time for a batch.
	gatherTime = 200 * time.Microsecond
	// idleTime is how long nobody must append before the tiles are written. It is
	// longer than a caller takes to come back with the next entry.
	idleTime = 5 * time.Millisecond
)

// lead writes batches while there are any, and the tiles when there are none.
func (l *Log) lead() {
	for {
		for requests := l.take(); len(requests) > 0; requests = l.take() {
			l.write(requests)
			l.gather(len(requests))
		}
		if l.await() {
			continue
		}
		l.finish()
		if l.retire() {
			return
		}
	}
}

// gather waits a moment for those who were answered to come back, because many
// small batches cost more than few large ones.
func (l *Log) gather(answered int) {
	if answered == 1 {
		return
	}
	for begin := time.Now(); time.Since(begin) < gatherTime; runtime.Gosched() {
		l.mu.Lock()
		back := len(l.pending)
		l.mu.Unlock()
		if back >= answered {
			return
		}
	}
}

// await reports whether something is pending, now or soon.
func (l *Log) await() bool {
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		l.mu.Lock()
		pending, closed := len(l.pending) > 0, l.closed
		l.mu.Unlock()
		if pending || closed {
			return pending
		}
		select {
		case <-l.stirred:
		case <-idle.C:
			return false
		}
	}
}

// finish has the tiles written. If that fails, the entries are as durable as
// before, and the next batch or the next Open writes the tiles.
func (l *Log) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	_ = l.writer.finish(ctx)
}

// retire ends the leader's term unless something is pending.
func (l *Log) retire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leading = len(l.pending) > 0
	return !l.leading
}

// take returns all pending requests; a key rotation only by itself.
func (l *Log) take() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := slices.IndexFunc(l.pending, func(r *request) bool { return r.next != nil })
	switch n {
	case -1:
		n = len(l.pending)
	case 0:
		n = 1
	}
	taken := l.pending[:n:n]
	l.pending = l.pending[n:]
	return taken
}

func (l *Log) write(requests []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	b := requests[0].batch
	for _, r := range requests[1:] {
		b.records = append(b.records, r.records...)
	}
	answered := false
	answer := func(at time.Time, err error) {
		if answered {
			return
		}
		answered = true
		for _, r := range requests {
			r.at, r.err = at, err
			close(r.done)
		}
	}
	err := l.writer.commit(ctx, b, func(at time.Time) { answer(at, nil) })
	answer(time.Time{}, err)
}
