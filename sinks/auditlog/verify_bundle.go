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
	bundle   written     // the file with the entries
	hashes   written     // the file with their hashes
	staged   string      // the file with the entries that are not in the bundle's
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

// file returns the file that holds an entry of the bundle.
func (b *bundleCheck) file(index int64) string {
	if index >= b.n*tileWidth+int64(b.bundle.width) && b.staged != "" {
		return b.staged
	}
	return b.bundle.name
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

// bundleChecker checks one bundle after another, and keeps between them what is
// dear to make anew. What is read into its buffers lasts until the next bundle.
type bundleChecker struct {
	*yearCheck
	bundle, hashes []byte // buffers
	entries        [][]byte
}

// check reads and checks the n-th bundle, its tile, and older partial versions of
// both.
func (y *bundleChecker) check(ctx context.Context, n int64) (*bundleCheck, error) {
	b := &bundleCheck{n: n}
	t := tile{entriesLevel, n, 0}
	t.width = t.widthAt(y.size())
	entries, err := y.readBundle(ctx, b, t)
	if err != nil {
		return nil, err
	}
	if entries != nil {
		b.leaves = leafHashes(entries)
		y.checkEntries(b, entries)
	}
	joined := joinHashes(b.leaves)
	agree, err := y.checkLeafTile(ctx, b, joined)
	if err != nil || !agree || entries == nil {
		return b, err
	}
	if t.width == tileWidth {
		b.root = subtreeRoot(slices.Clone(b.leaves))
	}
	y.checkStaged(b, entries)
	if err := y.checkPartials(ctx, &b.doubtful, t.full(), b.bundle.data); err != nil {
		return b, err
	}
	return b, y.checkPartials(ctx, &b.doubtful, tile{0, n, tileWidth}, joined)
}

// readBundle returns a bundle's entries; none if it is missing or malformed,
// which it notes.
func (y *bundleChecker) readBundle(ctx context.Context, b *bundleCheck, t tile) ([][]byte, error) {
	var err error
	b.bundle, err = y.readWritten(ctx, t, y.bundle)
	y.bundle = b.bundle.data
	if errors.Is(err, fs.ErrNotExist) {
		b.problems.add(b.bundle.name, NoEntry, "is missing")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := splitBundle(y.entries[:0], b.bundle.data)
	y.entries = entries
	if err != nil || len(entries) != b.bundle.width {
		b.problems.add(b.bundle.name, t.n*tileWidth+int64(len(entries)), "%v", errBundle)
		return nil, nil
	}
	if missing := t.width - b.bundle.width; missing > 0 {
		b.staged = y.stagedName()
		from := t.n*tileWidth + int64(b.bundle.width) - y.staged.from
		entries = append(entries, y.staged.entries[from:from+int64(missing)]...)
	}
	return entries, nil
}

// checkEntries checks each entry by itself, and the order of time among them.
func (y *yearCheck) checkEntries(b *bundleCheck, entries [][]byte) {
	b.facts = make([]fact, len(entries))
	var c checkedEntry
	var seen memo
	for i, e := range entries {
		index := b.n*tileWidth + int64(i)
		if err := c.check(e, &seen); err != nil {
			b.problems.add(b.file(index), index, "%v", err)
			continue
		}
		if c.time < b.last {
			b.problems.add(b.file(index), index, "time runs backwards")
		}
		if c.time < y.begin || c.time >= y.end && !c.is(memberAction, string(sinks.ActionCloseYear)) {
			b.problems.add(b.file(index), index, "is not of this year")
		}
		if b.first == 0 {
			b.first = c.time
		}
		b.last = c.time
		if c.own {
			b.own = append(b.own, checkedItem{index, c})
			b.own[len(b.own)-1].entry.bytes = slices.Clone(e)
		} else {
			b.facts[i] = factOf(&c)
		}
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
func (y *bundleChecker) checkLeafTile(ctx context.Context, b *bundleCheck, want []byte) (agree bool, err error) {
	t := tile{0, b.n, 0}
	t.width = t.widthAt(y.size())
	b.hashes, err = y.readWritten(ctx, t, y.hashes)
	y.hashes = b.hashes.data
	if errors.Is(err, fs.ErrNotExist) {
		b.problems.add(b.hashes.name, NoEntry, "is missing")
		return true, nil
	}
	if err != nil {
		return false, err
	}
	length := b.hashes.width * tlog.HashSize
	if len(b.hashes.data) != length {
		b.problems.add(b.hashes.name, NoEntry, "has %d bytes, want %d", len(b.hashes.data), length)
		return true, nil
	}
	if b.leaves != nil && bytes.Equal(b.hashes.data, want[:length]) {
		return true, nil
	}
	if b.leaves == nil && b.hashes.width < t.width {
		return true, nil // the hashes do not reach as far as the entries should
	}
	b.tile, _ = splitHashes(b.hashes.data)
	if b.leaves != nil {
		b.tile = append(b.tile, b.leaves[b.hashes.width:]...)
	}
	return false, nil
}

// checkStaged compares the entries that are also in the staging.
func (y *yearCheck) checkStaged(b *bundleCheck, entries [][]byte) {
	if y.staged.entries == nil {
		return
	}
	for i, e := range entries {
		index := b.n*tileWidth + int64(i)
		if index >= y.staged.from && !bytes.Equal(e, y.staged.entries[index-y.staged.from]) {
			b.doubtful.add(y.stagedName(), index, "is not the entry of %s", b.bundle.name)
			return
		}
	}
}
