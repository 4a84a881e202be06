package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

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
			checker := &bundleChecker{yearCheck: y}
			for j := range todo {
				b, err := checker.check(ctx, j.n)
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
	case y.byTiles == nil: // and so neither is the other
		return nil
	case y.byEntries == y.byTiles || y.byEntries == nil:
		return []*lineage{y.byTiles}
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
	case y.byTiles == nil:
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
	w, err := y.readWritten(ctx, t, nil)
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
