package auditlog

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Anchor is a checkpoint that was put away in a place out of reach of whoever
// keeps the log.
type Anchor struct {
	Name   string // where it is from, for the verdict
	Signed []byte
}

// state is a root hash that a log must have had at a size.
type state struct {
	size  int64
	root  tlog.Hash
	name  string // of the file that says so
	given bool   // as an anchor
}

// takeAnchors takes the anchors that are of this year out of those given.
func (y *yearCheck) takeAnchors() {
	y.anchors = slices.DeleteFunc(slices.Clone(y.anchors), func(a Anchor) bool {
		if !y.isOfYear(a) {
			return false
		}
		c, _, err := openCheckpoint(a.Signed, y.keys...)
		switch {
		case err != nil:
			y.problems.add(a.Name, NoEntry, "%v", err)
		case c.Size > y.size():
			y.problems.add(a.Name, NoEntry, "the log had %d entries in %s and now has %d: it was rolled back",
				c.Size, y.view.dir, y.size())
		default:
			y.states = append(y.states, state{c.Size, c.Root, a.Name, true})
		}
		return true
	})
	slices.SortStableFunc(y.states, func(a, b state) int { return int(a.size - b.size) })
}

// isOfYear looks at an anchor's text only. One that cannot be read is of every year.
func (y *yearCheck) isOfYear(a Anchor) bool {
	c, err := parseCheckpoint(a.Signed)
	return err != nil || c.Log == y.view.checkpoint.Log && c.Year == y.view.checkpoint.Year
}

// checkStates compares the roots that lie in a bundle, which is not in the trees
// yet. Where the trees differ, agreeing with one is enough: the rest is the
// matter of the signed root.
func (y *yearCheck) checkStates(b *bundleCheck) {
	begin, width := b.n*tileWidth, max(len(b.leaves), len(b.tile))
	for len(y.states) > 0 && y.states[0].size <= begin+int64(width) {
		s := y.states[0]
		y.states = y.states[1:]
		found := false
		for _, l := range y.lineages() {
			leaves := b.leaves
			if l == y.byTiles && b.tile != nil || leaves == nil {
				leaves = b.tile
			}
			tree := l.tree.clone()
			for _, h := range leaves[:s.size-begin] {
				_ = tree.add(h, nil) // fails only with its callback
			}
			found = found || tree.root() == s.root
		}
		switch {
		case !found:
			y.problems.add(s.name, NoEntry, "the first %d entries of %s are not those it was signed for", s.size, y.view.dir)
		case s.given:
			y.report.Anchors++
		}
	}
}
