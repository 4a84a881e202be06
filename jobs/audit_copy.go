package jobs

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// AuditCopier keeps a copy of the audit log, for search, up to date. What it copies
// it reads out of the log, so an entry is copied only once it is durable there, and
// whatever an earlier attempt has missed follows with the next. It is safe for use
// by several goroutines at once.
type AuditCopier struct {
	// Entries yields the log's entries from a place on, oldest first.
	Entries func(ctx context.Context, year int, index int64) iter.Seq2[sinks.AuditRecord, error]
	Copy    sinks.AuditCopy
	// Warn is told why a copy failed. The jobs go on without it. It may be nil.
	Warn func(error)

	mu    sync.Mutex
	known bool // whether next is where to go on
	next  auditPlace
}

// auditPlace is the place of an entry in the audit log.
type auditPlace struct {
	year  int
	index int64
}

const (
	// copyInterval is how far the copy may be behind during a run.
	copyInterval = 5 * time.Second
	// copyTimeout bounds the last copy of a run, whose work has been done.
	copyTimeout = time.Minute
	// copyEntries and copyBytes bound what is copied at once.
	copyEntries = 4096
	copyBytes   = 8 << 20
)

// Follow copies what is appended until stop, which copies the rest. Neither fails:
// the copy is for search, and the next run, or a comparison, completes it. A nil
// copier does nothing.
func (c *AuditCopier) Follow(ctx context.Context) (stop func()) {
	if c == nil {
		return func() {}
	}
	done := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		tick := time.NewTicker(copyInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if c.warn(c.Flush(ctx)) {
					return // stop tries once more
				}
			}
		}
	})
	return func() {
		close(done)
		following.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), copyTimeout)
		defer cancel()
		c.warn(c.Flush(ctx))
	}
}

func (c *AuditCopier) warn(err error) bool {
	if err != nil && c.Warn != nil {
		c.Warn(err)
	}
	return err != nil
}

// Flush copies what the copy does not have yet.
func (c *AuditCopier) Flush(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.flush(ctx); err != nil {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	return nil
}

func (c *AuditCopier) flush(ctx context.Context) (err error) {
	if !c.known {
		if c.next.year, c.next.index, err = c.Copy.FirstMissing(ctx); err != nil {
			return err
		}
		c.known = true
	}
	p := parcel{copy: c.Copy, next: c.next}
	defer func() { c.next = p.next }()
	for r, err := range c.Entries(ctx, c.next.year, c.next.index) {
		if err != nil {
			return err
		}
		if err := p.add(ctx, r); err != nil {
			return err
		}
	}
	return p.send(ctx)
}

// parcel gathers entries that are copied at once.
type parcel struct {
	copy    sinks.AuditCopy
	records []sinks.AuditRecord
	bytes   int
	next    auditPlace // behind the last entry that was copied
}

func (p *parcel) add(ctx context.Context, r sinks.AuditRecord) error {
	p.records = append(p.records, r)
	p.bytes += len(r.Entry)
	if len(p.records) < copyEntries && p.bytes < copyBytes {
		return nil
	}
	return p.send(ctx)
}

func (p *parcel) send(ctx context.Context) error {
	if len(p.records) == 0 {
		return nil
	}
	if err := p.copy.CopyEntries(ctx, p.records); err != nil {
		return err
	}
	last := p.records[len(p.records)-1]
	p.next = auditPlace{last.Year, last.Index + 1}
	p.records, p.bytes = p.records[:0], 0
	return nil
}
