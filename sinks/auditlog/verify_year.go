package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/facesoft/lapse/sinks"
)

// yearCheck verifies one year's log. It builds the tree twice over: from the
// entries, and from the tiles at level 0. As long as the two agree they are one;
// where they do not, the signed root tells which of them is right.
type yearCheck struct {
	*verification
	view       *view
	inventory  *inventory
	staged     stagedEntries
	begin, end int64 // of the year, milliseconds since 1970-01-01

	byEntries *lineage // nil once a bundle is unusable
	byTiles   *lineage
	blamed    problems // bundles, if the tiles are right
	rotations map[int64]bool
	states    []state // in order of size
	opened    bool    // begins with the entry that continues the year before
	closed    bool    // ends with the entry that ends it
}

// stagedEntries are the entries from some size on that have no tiles yet.
type stagedEntries struct {
	from    int64
	entries [][]byte
	err     error
}

// lineage is a tree with what would be wrong if it were the right one.
type lineage struct {
	tree  *tree
	wrong problems
}

func newYearCheck(v *verification, opened *view, inv *inventory, staged stagedEntries) *yearCheck {
	both := &lineage{tree: &tree{}}
	year := opened.checkpoint.Year
	return &yearCheck{
		verification: v,
		view:         opened,
		inventory:    inv,
		staged:       staged,
		begin:        time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
		end:          time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
		byEntries:    both,
		byTiles:      both,
		rotations:    map[int64]bool{},
	}
}

func (y *yearCheck) size() int64 { return y.view.checkpoint.Size }

// stagedName is the staging file of the checkpoint.
func (y *yearCheck) stagedName() string {
	return y.view.name(stagingName(y.size(), y.view.checkpoint.Root))
}

// stagedReaches reports whether a tile may be missing because what is in it, or
// a part of it, is staged.
func (y *yearCheck) stagedReaches(t tile) bool {
	return y.staged.entries != nil && t.width > t.widthAt(y.staged.from)
}

// stream checks the bundles in parallel and adds them up in order.
func (y *yearCheck) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type job struct {
		n    int64
		done chan *bundleCheck
	}
	todo := make(chan job)
	order := make(chan job, 4*y.workers)
	for range y.workers {
		go func() {
			for j := range todo {
				b, err := y.checkBundle(ctx, j.n)
				if err != nil {
					cancel(err)
				}
				j.done <- b
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(todo)
		for n := int64(0); n*tileWidth < y.size() && ctx.Err() == nil; n++ {
			j := job{n, make(chan *bundleCheck, 1)}
			order <- j
			todo <- j
		}
	}()
	for j := range order {
		b := <-j.done
		if ctx.Err() != nil {
			continue // let the goroutines run out
		}
		if err := y.add(ctx, b); err != nil {
			cancel(err)
		}
	}
	return context.Cause(ctx)
}

// add takes one bundle into the trees and looks at what spans bundles.
func (y *yearCheck) add(ctx context.Context, b *bundleCheck) error {
	y.problems.addAll(b.problems)
	if b.first != 0 && b.first < y.lastTime {
		y.problems.add(b.bundle.name, b.n*tileWidth, "time runs backwards")
	}
	y.lastTime = max(y.lastTime, b.last)
	y.pair(b)
	for _, item := range b.own {
		y.checkOwn(b.file(item.index), item)
	}
	y.diverge(b)
	y.checkStates(b)
	for _, l := range y.lineages() {
		leaves, root := b.leaves, b.root
		if l == y.byTiles && b.tile != nil || leaves == nil {
			leaves, root = b.tile, tlog.Hash{}
		}
		l.wrong.addAll(b.doubtful)
		if err := y.grow(ctx, l, leaves, root); err != nil {
			return err
		}
	}
	return nil
}

func (y *yearCheck) bundleName(n int64) string {
	t := tile{entriesLevel, n, 0}
	t.width = t.widthAt(y.size())
	return y.view.name(t.path())
}

// lineages returns the one tree, or both.
func (y *yearCheck) lineages() []*lineage {
	switch {
	case y.byEntries == nil && y.byTiles == nil:
		return nil
	case y.byEntries == y.byTiles || y.byEntries == nil:
		return []*lineage{y.byTiles}
	case y.byTiles == nil:
		return []*lineage{y.byEntries}
	}
	return []*lineage{y.byEntries, y.byTiles}
}

// diverge separates the trees at the first bundle that is not what its tile says.
func (y *yearCheck) diverge(b *bundleCheck) {
	if b.leaves != nil && b.tile == nil {
		return
	}
	if y.byEntries == y.byTiles && y.byTiles != nil {
		y.byEntries = &lineage{tree: y.byTiles.tree.clone()}
		y.byEntries.wrong.addAll(y.byTiles.wrong)
	}
	switch {
	case b.leaves == nil:
		y.byEntries = nil
		if b.tile == nil {
			y.byTiles = nil
		}
		return
	case y.byEntries == nil && y.byTiles == nil:
		return
	}
	differ, first := 0, 0
	for i, h := range b.leaves {
		if h != b.tile[i] {
			if differ++; differ == 1 {
				first = i
			}
		}
	}
	index := b.n*tileWidth + int64(first)
	y.blamed.add(b.file(index), index, "is not what was logged (%d entries of the bundle are not)", differ)
	if y.byEntries != nil {
		y.byEntries.wrong.add(b.hashes.name, NoEntry, "hash %d is not that of entry %d (%d hashes of the tile are wrong)",
			first, index, differ)
	}
}

// grow adds a bundle's hashes to a tree and compares each tile that becomes full.
func (y *yearCheck) grow(ctx context.Context, l *lineage, leaves []tlog.Hash, root tlog.Hash) error {
	full := func(t tile, hashes []tlog.Hash) error {
		if t.level == 0 {
			return nil
		}
		return y.checkTile(ctx, l, t, hashes)
	}
	if root != (tlog.Hash{}) {
		return l.tree.addFull(root, full)
	}
	for _, h := range leaves {
		if err := l.tree.add(h, full); err != nil {
			return err
		}
	}
	return nil
}

// checkTile compares a tile above level 0, and its older versions.
func (y *yearCheck) checkTile(ctx context.Context, l *lineage, t tile, hashes []tlog.Hash) error {
	want := joinHashes(hashes)
	w, err := y.readWritten(ctx, t)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.wrong.add(w.name, NoEntry, "is missing")
	case err != nil:
		return err
	case w.width > 0 && !bytes.Equal(w.data, want[:w.width*tlog.HashSize]):
		l.wrong.add(w.name, NoEntry, "is not the hash of what is below it")
	}
	return y.checkPartials(ctx, &l.wrong, t.full(), want)
}

// finish compares the root with the signed one, settles the blame, and looks at
// what only the whole tree tells.
func (y *yearCheck) finish(ctx context.Context) error {
	for _, l := range y.lineages() {
		for level := 1; level < len(l.tree.edge); level++ {
			if hashes := l.tree.edge[level]; len(hashes) > 0 {
				t := tile{level, l.tree.size >> ((level + 1) * tileHeight), len(hashes)}
				if err := y.checkTile(ctx, l, t, hashes); err != nil {
					return err
				}
			}
		}
	}
	want := y.view.checkpoint.Root
	switch {
	case y.byEntries != nil && y.byEntries.tree.root() == want:
		y.problems.addAll(y.byEntries.wrong)
	case y.byTiles != nil && y.byTiles.tree.root() == want:
		y.problems.addAll(y.blamed)
		y.problems.addAll(y.byTiles.wrong)
	default:
		y.problems.add(y.view.name(checkpointName), NoEntry, "root hash is not that of the entries")
		if y.staged.entries != nil {
			y.problems.add(y.stagedName(), y.staged.from, "may not be what was logged")
		}
		y.problems.addAll(y.blamed)
		for _, l := range y.lineages() {
			y.problems.addAll(l.wrong)
		}
	}
	return y.checkInventory(ctx)
}

// checkInventory reports files that do not belong to the checkpoint.
func (y *yearCheck) checkInventory(ctx context.Context) error {
	for _, name := range y.inventory.unknown {
		y.problems.add(y.view.name(name), NoEntry, "does not belong here")
	}
	for _, name := range y.inventory.staging {
		if full := y.view.name(name); full != y.stagedName() {
			y.report.Leftovers = append(y.report.Leftovers, full)
		}
	}
	if y.staged.err != nil {
		y.problems.add(y.stagedName(), NoEntry, "%v", errStaging)
	}
	y.report.Staged += int64(len(y.staged.entries))
	if len(y.inventory.beyond) == 0 {
		return nil
	}
	// Entries may have been appended since the checkpoint was read.
	size := y.size()
	now, err := openView(ctx, y.files, y.view.checkpoint.Year)
	if err == nil {
		size = now.checkpoint.Size
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errCheckpointText) {
		return err
	}
	for _, t := range y.inventory.beyond {
		if t.width > t.widthAt(size) {
			y.problems.add(y.view.name(t.path()), NoEntry, "is beyond the checkpoint: the log was rolled back, or the file does not belong here")
		}
	}
	return nil
}

// close enters the year into the report.
func (y *yearCheck) close() {
	if p := y.previous; p != nil && !y.opened {
		y.problems.add(y.bundleName(0), 0, "does not continue the end of %s", yearName(p.Year))
	}
	if p := y.previous; p != nil && !p.Closed {
		y.problems.add(yearName(p.Year)+"/"+checkpointName, NoEntry, "does not end with the close of the year, but %s follows", y.view.dir)
	}
	r := YearReport{y.view.checkpoint, y.closed}
	y.report.Years = append(y.report.Years, r)
	y.report.Entries += r.Size
	y.previous = &r
}

// pair matches outcomes with the intents before them.
func (y *yearCheck) pair(b *bundleCheck) {
	first := b.n * tileWidth
	for i, f := range b.facts {
		if f.kind == factNone {
			continue
		}
		index := first + int64(i)
		state := y.steps.at(f.step)
		if f.kind == factIntent {
			y.report.Intents++
			*state = openStep(y.report.Entries + index + 1)
			continue
		}
		y.report.Outcomes++
		if *state == 0 {
			y.problems.add(b.file(index), index, "is an outcome without an intent before it")
			continue
		}
		*state |= 1
	}
}

// checkOwn checks an entry about the log itself.
func (y *yearCheck) checkOwn(name string, item checkedItem) {
	c := &item.entry
	last := item.index == y.size()-1
	switch {
	case c.is(memberAction, string(sinks.ActionRotateKey)):
		if !y.rotations[item.index+1] {
			y.problems.add(y.view.name(rotationName(item.index+1)), NoEntry, "is missing: entry %d rotates the key", item.index)
		}
	case c.is(memberAction, string(sinks.ActionCloseYear)):
		y.closed = last
		if !last {
			y.problems.add(name, item.index, "closes the year, but entries follow")
		}
	case item.index > 0:
		y.problems.add(name, item.index, "opens the year, but entries precede it")
	case y.previous == nil:
		y.problems.add(name, item.index, "continues a year that is not there")
	default:
		y.opened = true
		e, err := Decode(c.bytes)
		if err != nil || *e.Continues != y.previous.Head() {
			y.problems.add(name, item.index, "does not continue the end of %s", yearName(y.previous.Year))
		}
	}
}
