package auditlog

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// growth is what becomes of an edge by a number of entries.
type growth struct {
	edge     *edge
	tiles    []File   // tiles and bundles that become full, or longer
	obsolete []string // directories of partial tiles that are full now
	dir      string
}

// grow adds entries to the tiles of a year.
func (e *edge) grow(year int, entries [][]byte) *growth {
	next := &edge{tree: e.tree.clone(), tail: slices.Clone(e.tail)}
	g := &growth{edge: next, dir: yearName(year) + "/"}
	levels := 1 // how many levels of tiles, from the lowest, the entries reach
	full := func(t tile, hashes []tlog.Hash) error {
		g.add(t, joinHashes(hashes))
		levels = max(levels, t.level+2)
		return nil
	}
	for _, entry := range entries {
		next.tail = appendEntry(next.tail, entry)
		_ = next.tree.add(tlog.RecordHash(entry), full) // full never fails
		if next.tree.size%tileWidth == 0 {
			g.add(tile{entriesLevel, next.tree.size/tileWidth - 1, tileWidth}, next.tail)
			next.tail = nil
		}
	}
	g.addPartials(levels)
	return g
}

func (g *growth) add(t tile, data []byte) {
	g.tiles = append(g.tiles, File{g.dir + t.path(), data})
	if t.width == tileWidth {
		g.obsolete = append(g.obsolete, g.dir+t.partials())
	}
}

func (g *growth) addPartials(levels int) {
	tree := g.edge.tree
	if len(g.edge.tail) > 0 {
		g.add(tile{entriesLevel, tree.size / tileWidth, int(tree.size % tileWidth)}, g.edge.tail)
	}
	for level := range min(levels, len(tree.edge)) {
		if hashes := tree.edge[level]; len(hashes) > 0 {
			n := tree.size >> ((level + 1) * tileHeight)
			g.add(tile{level, n, len(hashes)}, joinHashes(hashes))
		}
	}
}
