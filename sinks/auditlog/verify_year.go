package auditlog

import (
	"context"
	"time"
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

// finish looks at what only the whole tree tells, and comes to a verdict.
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
	y.settleBlame()
	y.checkInventory()
	y.close()
	return nil
}

// settleBlame reports what is wrong under the tree that has the signed root.
func (y *yearCheck) settleBlame() {
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
}

// checkInventory reports files that do not belong to the checkpoint.
func (y *yearCheck) checkInventory() {
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
	for _, t := range y.inventory.beyond {
		y.problems.add(y.view.name(t.path()), NoEntry, "is beyond the checkpoint: the log was rolled back, or the file does not belong here")
	}
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
