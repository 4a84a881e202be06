package auditlog

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// bundleCheck is what one bundle and its tile of leaf hashes say. Bundles are
// checked in parallel and added up in order.
type bundleCheck struct {
	n        int64
	leaves   []tlog.Hash // of the entries; nil if the bundle is unusable
	tile     []tlog.Hash // the tile's hashes, if they differ
	root     tlog.Hash   // of a full bundle's leaves
	facts    []fact
	first    int64         // time of the first valid entry, and
	last     int64         // of the last; 0 if there is none
	own      []checkedItem // entries about the log itself
	problems problems      // of the bundle itself or its tile, whoever is right
	doubtful problems      // of other copies, if the entries are right
}

// fact is what pairing needs of an entry.
type fact struct {
	step sinks.ID
	kind factKind
}

type factKind byte

const (
	factNone factKind = iota // about the log itself, or not a valid entry
	factIntent
	factOutcome
)

type checkedItem struct {
	index int64
	entry checkedEntry
}

// checkBundle reads and checks the n-th bundle, its tile, and older partial
// versions of both.
func (y *yearCheck) checkBundle(ctx context.Context, n int64) (*bundleCheck, error) {
	b := &bundleCheck{n: n}
	t := tile{entriesLevel, n, 0}
	t.width = t.widthAt(y.size())
	data, entries, err := y.readBundle(ctx, b, t)
	if err != nil {
		return nil, err
	}
	if entries != nil {
		b.leaves = leafHashes(entries)
		y.checkEntries(b, t, entries)
	}
	joined := joinHashes(b.leaves)
	agree, err := y.checkLeafTile(ctx, b, t, joined)
	if err != nil || !agree || entries == nil {
		return b, err
	}
	if t.width == tileWidth {
		b.root = subtreeRoot(slices.Clone(b.leaves))
	}
	y.checkStaged(b, t, entries)
	if err := y.checkPartials(ctx, &b.doubtful, t.full(), data); err != nil {
		return b, err
	}
	return b, y.checkPartials(ctx, &b.doubtful, tile{0, n, tileWidth}, joined)
}

// readBundle returns a bundle's bytes and entries; no entries if it is missing
// or malformed, which it notes.
func (y *yearCheck) readBundle(ctx context.Context, b *bundleCheck, t tile) ([]byte, [][]byte, error) {
	data, err := y.view.read(ctx, t.path())
	name := y.view.name(t.path())
	switch {
	case errors.Is(err, fs.ErrNotExist) && y.stagedReaches(t):
		entries, err := y.view.stagedBundle(ctx, t)
		if err != nil || entries == nil {
			b.problems.add(name, NoEntry, "is missing, and the staging does not make up for it")
			return nil, nil, nil
		}
		for _, e := range entries {
			data = appendEntry(data, e)
		}
	case errors.Is(err, fs.ErrNotExist):
		b.problems.add(name, NoEntry, "is missing")
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	entries, err := splitBundle(make([][]byte, 0, t.width), data)
	if err != nil || len(entries) != t.width {
		b.problems.add(name, t.n*tileWidth+int64(len(entries)), "%v", errBundle)
		return nil, nil, nil
	}
	return data, entries, nil
}

// checkEntries checks each entry by itself, and the order of time among them.
func (y *yearCheck) checkEntries(b *bundleCheck, t tile, entries [][]byte) {
	b.facts = make([]fact, len(entries))
	name := y.view.name(t.path())
	var pair [2]checkedEntry // the entry, and the last valid one before it
	c, spare, before := &pair[0], &pair[1], (*checkedEntry)(nil)
	for i, e := range entries {
		index := t.n*tileWidth + int64(i)
		if err := c.check(e, before); err != nil {
			b.problems.add(name, index, "%v", err)
			continue
		}
		if c.time < b.last {
			b.problems.add(name, index, "time runs backwards")
		}
		if c.time < y.begin || c.time >= y.end && !c.is(memberAction, string(sinks.ActionCloseYear)) {
			b.problems.add(name, index, "is not of this year")
		}
		if b.first == 0 {
			b.first = c.time
		}
		b.last = c.time
		if c.own {
			b.own = append(b.own, checkedItem{index, *c})
		} else {
			b.facts[i] = factOf(c)
		}
		c, spare, before = spare, c, c
	}
}

func factOf(c *checkedEntry) fact {
	f := fact{kind: factIntent}
	if c.outcome {
		f.kind = factOutcome
	}
	_, _ = hex.Decode(f.step[:], c.text(memberStep)) // checked to be hexadecimal
	return f
}

// checkLeafTile compares the tile at level 0 with the entries.
func (y *yearCheck) checkLeafTile(ctx context.Context, b *bundleCheck, bundle tile, want []byte) (agree bool, err error) {
	t := tile{0, bundle.n, bundle.width}
	data, err := y.view.read(ctx, t.path())
	switch {
	case errors.Is(err, fs.ErrNotExist) && y.stagedReaches(t):
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		b.problems.add(y.view.name(t.path()), NoEntry, "is missing")
		return true, nil
	case err != nil:
		return false, err
	}
	if b.leaves != nil && bytes.Equal(data, want) {
		return true, nil
	}
	hashes, ok := splitHashes(data)
	if !ok || len(hashes) != t.width {
		b.problems.add(y.view.name(t.path()), NoEntry, "has %d bytes, want %d", len(data), t.width*tlog.HashSize)
		return true, nil
	}
	b.tile = hashes
	return false, nil
}

// checkPartials compares older versions of a tile or bundle, which are the
// beginnings of its present content.
func (y *yearCheck) checkPartials(ctx context.Context, p *problems, t tile, data []byte) error {
	for _, width := range y.inventory.partials[t] {
		partial := tile{t.level, t.n, width}
		got, err := y.view.read(ctx, partial.path())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by a writer, now that the full one is there
		}
		if err != nil {
			return err
		}
		want := data
		if t.level == entriesLevel {
			want, err = cutBundle(data, width)
		} else {
			want = data[:width*tlog.HashSize]
		}
		if err != nil || !bytes.Equal(got, want) {
			p.add(y.view.name(partial.path()), NoEntry, "is not the beginning of %s", y.view.name(t.path()))
		}
	}
	return nil
}

// checkStaged compares the entries that are also in the staging.
func (y *yearCheck) checkStaged(b *bundleCheck, t tile, entries [][]byte) {
	if y.staged.entries == nil {
		return
	}
	for i, e := range entries {
		index := t.n*tileWidth + int64(i)
		if index >= y.staged.from && !bytes.Equal(e, y.staged.entries[index-y.staged.from]) {
			b.doubtful.add(y.stagedName(), index, "is not the entry of %s", y.view.name(t.path()))
			return
		}
	}
}
