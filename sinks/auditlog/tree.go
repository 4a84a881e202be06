package auditlog

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of an RFC 6962 Merkle tree that grows leaf by leaf: for
// every level of tiles the hashes in its last, not yet full tile. That is all
// that extending the tree and computing its root need.
type tree struct {
	size int64
	edge [][]tlog.Hash // by tile level; each shorter than tileWidth
}

// onFull is told about each tile that becomes full.
type onFull func(t tile, hashes []tlog.Hash) error

// add appends a leaf.
func (t *tree) add(leaf tlog.Hash, full onFull) error {
	t.size++
	return t.push(0, leaf, full)
}

// addFull appends the root of the next 256 leaves; the tree's size must be a
// multiple of 256.
func (t *tree) addFull(root tlog.Hash, full onFull) error {
	t.size += tileWidth
	return t.push(1, root, full)
}

func (t *tree) push(level int, h tlog.Hash, full onFull) error {
	for len(t.edge) <= level {
		t.edge = append(t.edge, nil)
	}
	t.edge[level] = append(t.edge[level], h)
	if len(t.edge[level]) < tileWidth {
		return nil
	}
	hashes := t.edge[level]
	t.edge[level] = nil
	if full != nil {
		n := t.size>>((level+1)*tileHeight) - 1
		if err := full(tile{level, n, tileWidth}, hashes); err != nil {
			return err
		}
	}
	return t.push(level+1, subtreeRoot(slices.Clone(hashes)), full)
}

// root returns the hash of the whole tree, MTH(D) of RFC 6962, section 2.1.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	var root tlog.Hash
	empty := true
	for _, hashes := range t.edge { // from the right edge of the tree to its left
		for len(hashes) > 0 {
			// The last perfect subtree in a tile is as wide as the lowest set
			// bit of the tile's width.
			width := len(hashes) & -len(hashes)
			h := subtreeRoot(slices.Clone(hashes[len(hashes)-width:]))
			hashes = hashes[:len(hashes)-width]
			if empty {
				root, empty = h, false
			} else {
				root = tlog.NodeHash(h, root)
			}
		}
	}
	return root
}

// clone returns a copy that can grow on its own.
func (t *tree) clone() *tree {
	c := &tree{size: t.size, edge: make([][]tlog.Hash, len(t.edge))}
	for i, hashes := range t.edge {
		c.edge[i] = slices.Clone(hashes)
	}
	return c
}

// subtreeRoot returns the root over a power of two of hashes, which it overwrites.
func subtreeRoot(hashes []tlog.Hash) tlog.Hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}

// joinHashes returns the content of a tile.
func joinHashes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// splitHashes is the inverse of joinHashes.
func splitHashes(b []byte) ([]tlog.Hash, bool) {
	if len(b) == 0 || len(b)%tlog.HashSize != 0 || len(b) > tileWidth*tlog.HashSize {
		return nil, false
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		hashes[i] = tlog.Hash(b[i*tlog.HashSize:])
	}
	return hashes, true
}
