package jobs

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/facesoft/lapse/sinks"
)

// AuditComparison says how a copy of the audit log agrees with the log.
type AuditComparison struct {
	Entries   int64 `json:"entries"`   // in the log
	Missing   int64 `json:"missing"`   // in the log, and not in the copy
	Copied    int64 `json:"copied"`    // of the missing, those that have been copied now
	Differing int64 `json:"differing"` // in both, with other contents
	Extra     int64 `json:"extra"`     // in the copy, and not in the log
	// Differences are the first of them, in order.
	Differences []AuditDifference `json:"differences,omitempty"`
}

// AuditDifference is one entry by which a copy differs from the audit log.
type AuditDifference struct {
	Year  int    `json:"year"`
	Index int64  `json:"index"`
	What  string `json:"what"` // one of the words below
}

// What can be with an entry: in the log and not in the copy, in both with other
// contents, in the copy and not in the log.
const (
	AuditMissing = "is missing"
	AuditDiffers = "differs"
	AuditExtra   = "is extra"
)

// maxDifferences bounds the list in an AuditComparison; the counts are exact.
const maxDifferences = 1000

// Agrees reports whether the copy holds nothing but what the log holds: what it
// lacked has been copied, and no more needs to be done.
func (c *AuditComparison) Agrees() bool {
	return c.Differing == 0 && c.Extra == 0 && c.Copied == c.Missing
}

// Compare compares the copy with the log, entry by entry, and copies what is
// missing if it is to complete it. Entries that are appended meanwhile may count as
// missing, and are copied like the others. It changes nothing that differs: that
// may be the trace of somebody's hand.
func (c *AuditCopier) Compare(ctx context.Context, complete bool) (*AuditComparison, error) {
	r, err := c.compare(ctx, complete)
	if err != nil {
		return nil, fmt.Errorf("compare the audit log with its copy: %w", err)
	}
	return r, nil
}

func (c *AuditCopier) compare(ctx context.Context, complete bool) (*AuditComparison, error) {
	next, stop := iter.Pull2(c.Copy.CopiedEntries(ctx))
	defer stop()
	// The copy is begun first, so that what it holds is in the log that is read.
	held := &copied{next: next}
	if err := held.advance(); err != nil {
		return nil, err
	}
	r := &AuditComparison{}
	p := parcel{copy: c.Copy}
	for logged, err := range c.Entries(ctx, 0, 0) {
		for err == nil && held.before(logged) {
			r.note(&r.Extra, held.AuditRecord, AuditExtra)
			err = held.advance()
		}
		if err != nil {
			return nil, err
		}
		r.Entries++
		if !held.at(logged) {
			r.note(&r.Missing, logged, AuditMissing)
			if complete {
				err = p.add(ctx, logged)
			}
		} else {
			if !held.Consistent || !bytes.Equal(held.Entry, logged.Entry) {
				r.note(&r.Differing, logged, AuditDiffers)
			}
			err = held.advance()
		}
		if err != nil {
			return nil, err
		}
	}
	for held.any {
		r.note(&r.Extra, held.AuditRecord, AuditExtra)
		if err := held.advance(); err != nil {
			return nil, err
		}
	}
	if complete {
		r.Copied = r.Missing
	}
	return r, p.send(ctx)
}

func (c *AuditComparison) note(count *int64, r sinks.AuditRecord, what string) {
	*count++
	if len(c.Differences) < maxDifferences {
		c.Differences = append(c.Differences, AuditDifference{r.Year, r.Index, what})
	}
}

// copied is the entry that comes next in a copy.
type copied struct {
	next func() (sinks.CopiedEntry, error, bool)
	sinks.CopiedEntry
	any bool
}

func (c *copied) advance() (err error) {
	c.CopiedEntry, err, c.any = c.next()
	return err
}

func (c *copied) before(r sinks.AuditRecord) bool {
	return c.any && (c.Year < r.Year || c.Year == r.Year && c.Index < r.Index)
}

func (c *copied) at(r sinks.AuditRecord) bool {
	return c.any && c.Year == r.Year && c.Index == r.Index
}
