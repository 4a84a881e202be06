package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// head is the end of one year's log with all that extending it takes. It is
// never changed; grow returns another.
type head struct {
	year   int
	signed []byte // the checkpoint file; nil while the year has none
	tree   *tree
	tail   []byte // the last bundle, unless it is full
	last   lastEntry
}

// lastEntry is what the next entry must know about the one before it.
type lastEntry struct {
	time   time.Time
	closes bool            // nothing may follow in this year
	newKey sinks.PublicKey // unless zero, nothing may be signed by another key
}

func newHead(year int, last lastEntry) *head {
	return &head{year: year, tree: &tree{}, last: lastEntry{time: last.time}}
}

func readLast(entry []byte) (lastEntry, error) {
	var c checkedEntry
	if err := c.check(entry); err != nil {
		return lastEntry{}, err
	}
	last := lastEntry{
		time:   time.UnixMilli(c.time).UTC(),
		closes: c.is(memberAction, string(sinks.ActionCloseYear)),
	}
	if c.has(memberNewKey) {
		if err := last.newKey.UnmarshalText(unquote(c.member(memberNewKey))); err != nil {
			return lastEntry{}, err
		}
	}
	return last, nil
}

func unquote(b []byte) []byte { return b[1 : len(b)-1] }

// growth is what becomes of a head by a batch of entries.
type growth struct {
	head     *head
	files    []File   // tiles and bundles that the batch completes or extends
	obsolete []string // directories of partial tiles that are full now
}

// grow adds entries, of which there is at least one. Nothing is signed yet.
func (h *head) grow(entries [][]byte) (*growth, error) {
	g := &growth{head: &head{year: h.year, tree: h.tree.clone(), tail: slices.Clone(h.tail)}}
	next := g.head
	changed := 1 // number of tile levels, from the lowest, that the batch reached
	full := func(t tile, hashes []tlog.Hash) error {
		g.add(t, joinHashes(hashes))
		changed = max(changed, t.level+2)
		return nil
	}
	for _, e := range entries {
		next.tail = appendEntry(next.tail, e)
		_ = next.tree.add(tlog.RecordHash(e), full) // full never fails
		if next.tree.size%tileWidth == 0 {
			g.add(tile{entriesLevel, next.tree.size/tileWidth - 1, tileWidth}, next.tail)
			next.tail = nil
		}
	}
	g.addPartials(changed)
	last, err := readLast(entries[len(entries)-1])
	next.last = last
	return g, err
}

func (g *growth) add(t tile, data []byte) {
	dir := yearName(g.head.year) + "/"
	g.files = append(g.files, File{dir + t.path(), data})
	if t.width == tileWidth {
		g.obsolete = append(g.obsolete, dir+t.partials())
	}
}

func (g *growth) addPartials(levels int) {
	tree := g.head.tree
	if len(g.head.tail) > 0 {
		n := tree.size / tileWidth
		g.add(tile{entriesLevel, n, int(tree.size % tileWidth)}, g.head.tail)
	}
	for level := range min(levels, len(tree.edge)) {
		if hashes := tree.edge[level]; len(hashes) > 0 {
			n := tree.size >> ((level + 1) * tileHeight)
			g.add(tile{level, n, len(hashes)}, joinHashes(hashes))
		}
	}
}

// errDamaged is what a writer says of a log it must not build on.
var errDamaged = errors.New("the log is damaged, verify it")

// loadHead reads the end of a year's log at a size whose tiles have been written.
// The root is for the caller to compare.
func loadHead(ctx context.Context, v *view, size int64) (*head, error) {
	h := &head{year: v.checkpoint.Year, tree: &tree{size: size}}
	if size == 0 {
		return h, nil
	}
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		t := tile{level, size >> ((level + 1) * tileHeight), 0}
		t.width = t.widthAt(size)
		var hashes []tlog.Hash
		if t.width > 0 {
			data, err := v.tile(ctx, t)
			if err != nil {
				return nil, err
			}
			var ok bool
			if hashes, ok = splitHashes(data); !ok || len(hashes) != t.width {
				return nil, fmt.Errorf("%s: %w", t.path(), errDamaged)
			}
		}
		h.tree.edge = append(h.tree.edge, hashes)
	}
	return h, h.loadTail(ctx, v)
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
		return fmt.Errorf("%s: %w", t.path(), errDamaged)
	}
	if t.width < tileWidth {
		if !slices.Equal(leafHashes(entries), h.tree.edge[0]) {
			return fmt.Errorf("%s: %w", t.path(), errDamaged)
		}
		h.tail = data
	}
	if h.last, err = readLast(entries[len(entries)-1]); err != nil {
		return fmt.Errorf("%s: %w", t.path(), errDamaged)
	}
	return nil
}

// loadStaged returns the batch that led to the view's checkpoint, or nil if its
// tiles have all been written.
func loadStaged(ctx context.Context, v *view) (from int64, entries [][]byte, err error) {
	data, err := v.read(ctx, stagingName(v.checkpoint.Size, v.checkpoint.Root))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	return decodeStaging(data, v.checkpoint.Size)
}
