package auditlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// head is the end of one year's log with all that extending it takes. It is
// never changed; append and the writer's settle return another.
type head struct {
	year    int
	signed  []byte // the checkpoint file; nil while the year has none
	durable bool   // the checkpoint is known not to be lost in a crash
	tree    *tree
	last    lastEntry
	settled *edge    // as far as the tiles go
	staged  [][]byte // the entries since then, which the staging holds
}

// edge is the end of what the tiles hold: the tree, and the last bundle unless
// it is full.
type edge struct {
	tree *tree
	tail []byte
}

// lastEntry is what the next entry must know about the one before it.
type lastEntry struct {
	time   time.Time
	closes bool            // nothing may follow in this year
	newKey sinks.PublicKey // unless zero, nothing may be signed by another key
}

// emptyHead is the beginning of a year's log.
func emptyHead(year int) *head {
	return &head{year: year, tree: &tree{}, settled: &edge{tree: &tree{}}}
}

func (h *head) checkpoint(log string) Checkpoint {
	return Checkpoint{Log: log, Year: h.year, Size: h.tree.size, Root: h.tree.root()}
}

// stagingName returns the name of the file with the staged entries.
func (h *head) stagingName() string {
	return yearName(h.year) + "/" + stagingName(h.tree.size, h.tree.root())
}

// append returns the head after some entries, of which there is at least one. It
// is not signed yet.
func (h *head) append(entries [][]byte) (*head, error) {
	last, err := readLast(entries[len(entries)-1])
	if err != nil {
		return nil, err
	}
	next := &head{year: h.year, tree: h.tree.clone(), last: last, settled: h.settled}
	for _, e := range entries {
		_ = next.tree.add(tlog.RecordHash(e), nil) // fails only with its callback
	}
	next.staged = slices.Concat(h.staged, entries)
	return next, nil
}

func readLast(entry []byte) (lastEntry, error) {
	var c checkedEntry
	if err := c.check(entry, nil); err != nil {
		return lastEntry{}, err
	}
	last := lastEntry{
		time:   time.UnixMilli(c.time).UTC(),
		closes: c.is(memberAction, string(sinks.ActionCloseYear)),
	}
	var err error
	if c.has(memberNewKey) {
		last.newKey, err = c.newKey()
	}
	return last, err
}

// errDamaged is what a writer says of a log it must not build on.
var errDamaged = errors.New("the log is damaged, verify it")

// loadHead reads the end of a year's log: from the tiles, which are complete up
// to some size, and the staging, which leads from there to the checkpoint.
func loadHead(ctx context.Context, v *view) (*head, error) {
	from, staged, err := loadStaged(ctx, v)
	if err != nil {
		return nil, err
	}
	if staged == nil {
		from = v.checkpoint.Size
	}
	h := emptyHead(v.checkpoint.Year)
	if from > 0 {
		if err := h.loadSettled(ctx, v, from); err != nil {
			return nil, err
		}
	}
	if staged != nil {
		if h, err = h.append(staged); err != nil {
			return nil, errStaging
		}
	}
	if h.tree.root() != v.checkpoint.Root {
		return nil, fmt.Errorf("%s: %w", v.name(checkpointName), errDamaged)
	}
	h.signed = v.signed
	return h, nil
}

// loadSettled reads the tiles on the right edge of the tree of a size.
func (h *head) loadSettled(ctx context.Context, v *view, size int64) error {
	h.tree.size = size
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		t := tile{level, size >> ((level + 1) * tileHeight), 0}
		t.width = t.widthAt(size)
		var hashes []tlog.Hash
		if t.width > 0 {
			data, err := v.tile(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name(t.path()), err)
			}
			var ok bool
			if hashes, ok = splitHashes(data); !ok || len(hashes) != t.width {
				return fmt.Errorf("%s: %w", v.name(t.path()), errDamaged)
			}
		}
		h.tree.edge = append(h.tree.edge, hashes)
	}
	h.settled = &edge{tree: h.tree}
	return h.loadTail(ctx, v)
}

// loadTail reads the bundle with the last entry, which is the tail unless full.
func (h *head) loadTail(ctx context.Context, v *view) error {
	t := tile{entriesLevel, (h.tree.size - 1) / tileWidth, 0}
	t.width = t.widthAt(h.tree.size)
	data, err := v.tile(ctx, t)
	if err != nil {
		return err
	}
	entries, err := splitBundle(nil, data)
	if err != nil || len(entries) != t.width {
		return fmt.Errorf("%s: %w", v.name(t.path()), errDamaged)
	}
	if t.width < tileWidth {
		if !slices.Equal(leafHashes(entries), h.tree.edge[0]) {
			return fmt.Errorf("%s: %w", v.name(t.path()), errDamaged)
		}
		h.settled.tail = data
	}
	if h.last, err = readLast(entries[len(entries)-1]); err != nil {
		return fmt.Errorf("%s: %w", v.name(t.path()), errDamaged)
	}
	return nil
}
