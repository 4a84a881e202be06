package kanon

import (
	"cmp"
	"fmt"
)

// MaxVectors is up to how many level vectors are searched.
const MaxVectors = 1 << 22

// lattice numbers the vectors of levels and compares them. Vector n has the level
// n / stride % levels in each column.
type lattice struct {
	columns []*Column
	stride  []int
	size    int
	// root is, by column and level, the finest level from which each step to that level
	// only merges groups.
	root [][]int
}

func newLattice(columns []*Column) (*lattice, error) {
	l := &lattice{columns: columns, stride: make([]int, len(columns)), size: 1}
	for i := len(columns) - 1; i >= 0; i-- {
		l.stride[i] = l.size
		if l.size *= len(columns[i].levels); l.size > MaxVectors {
			return nil, fmt.Errorf("there are more than %d level vectors to search; leave out levels or columns", MaxVectors)
		}
	}
	for _, c := range columns {
		root := make([]int, len(c.levels))
		for level := range c.levels {
			root[level] = level
			if level > 0 && c.levels[level].nests {
				root[level] = root[level-1]
			}
		}
		l.root = append(l.root, root)
	}
	return l, nil
}

// vector writes the levels of vector n into levels.
func (l *lattice) vector(n int, levels []int) []int {
	levels = resize(levels, len(l.columns))
	for i, stride := range l.stride {
		levels[i] = n / stride % len(l.columns[i].levels)
	}
	return levels
}

// merges reports whether the classes at to are those at from, merged.
func (l *lattice) merges(from, to []int) bool {
	for i, level := range to {
		if from[i] > level || from[i] < l.root[i][level] {
			return false
		}
	}
	return true
}

// coarser calls visit for each vector that is n with one column one level up, if that
// only merges classes.
func (l *lattice) coarser(n int, visit func(int)) {
	for i, stride := range l.stride {
		levels := l.columns[i].levels
		if at := n / stride % len(levels); at+1 < len(levels) && levels[at+1].nests {
			visit(n + stride)
		}
	}
}

// finer calls visit for each vector that is n with one column one level down, if the
// way back only merges classes.
func (l *lattice) finer(n int, visit func(int)) {
	for i, stride := range l.stride {
		levels := l.columns[i].levels
		if at := n / stride % len(levels); at > 0 && levels[at].nests {
			visit(n - stride)
		}
	}
}

// rank orders vectors that lose the same: first those of the least height, then those
// whose levels are finer in relation to their number, then those that keep more
// values apart, as Flash visits them; at last by their number, so that the order is
// one and the same every time.
type rank struct {
	height              int
	relative, collapsed float64
	number              int
}

func (l *lattice) rank(n int) rank {
	r := rank{number: n}
	for i, stride := range l.stride {
		levels := l.columns[i].levels
		at := n / stride % len(levels)
		r.height += at
		if len(levels) > 1 {
			r.relative += float64(at) / float64(len(levels)-1)
		}
		r.collapsed -= float64(levels[at].groups()) / float64(levels[0].groups())
	}
	return r
}

func (r rank) compare(other rank) int {
	return cmp.Or(
		cmp.Compare(r.height, other.height), cmp.Compare(r.relative, other.relative),
		cmp.Compare(r.collapsed, other.collapsed), cmp.Compare(r.number, other.number),
	)
}
