package auditlog

import (
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTreeIsThatOfTlog compares roots and tiles with golang.org/x/mod/sumdb/tlog.
func TestTreeIsThatOfTlog(t *testing.T) {
	t.Parallel()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			hashes[i] = stored[x]
		}
		return hashes, nil
	})
	check := func(tl tile, hashes []tlog.Hash) error {
		want, err := tlog.ReadTileData(tlog.Tile{H: tileHeight, L: tl.level, N: tl.n, W: tl.width}, reader)
		if err != nil || string(joinHashes(hashes)) != string(want) {
			t.Errorf("tile %v is not that of tlog: %v", tl, err)
		}
		return nil
	}
	tree := &tree{}
	for n := range int64(70_000) {
		record := binary.AppendVarint(nil, n)
		hashes, err := tlog.StoredHashes(n, record, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		_ = tree.add(tlog.RecordHash(record), check)
		if n > 600 && n%997 != 0 && n < 65_530 {
			continue
		}
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		if tree.root() != want {
			t.Fatalf("root at size %d is not that of tlog", n+1)
		}
		for level, hashes := range tree.edge {
			if len(hashes) > 0 {
				_ = check(tile{level, tree.size >> ((level + 1) * tileHeight), len(hashes)}, hashes)
			}
		}
	}
	empty, err := tlog.TreeHash(0, nil)
	if err != nil || (&treeOf0).root() != empty {
		t.Errorf("empty root: %v", err)
	}
}

var treeOf0 tree

func TestTilePathsAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	for want, tl := range map[string]tile{
		"tile/0/x001/x234/067":        {0, 1234067, 256},
		"tile/0/x001/x234/067.p/1":    {0, 1234067, 1},
		"tile/entries/000":            {entriesLevel, 0, 256},
		"tile/entries/x999/x999/999":  {entriesLevel, 999_999_999, 256},
		"tile/63/000.p/255":           {63, 0, 255},
		"tile/1/x001/000":             {1, 1000, 256},
		"tile/entries/x273/000.p/112": {entriesLevel, 273_000, 112},
	} {
		if got := tl.path(); got != want {
			t.Errorf("%v: %s, want %s", tl, got, want)
		}
		if got, ok := parseTile(want); !ok || got != tl {
			t.Errorf("%s: %v, %v", want, got, ok)
		}
	}
	for _, name := range []string{
		"tile/0/0", "tile/0/0000", "tile/0/x000/001", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/000.p/0",
		"tile/0/000.p/256", "tile/0/000.p/01", "tile/0/001/000", "tile/0", "tile/x/000", "tile/data/000", "tile/0/+01",
	} {
		if got, ok := parseTile(name); ok {
			t.Errorf("%s is taken for %v", name, got)
		}
	}
}

// TestWidthsAreThoseOfTheSpecification is the example of tlog-tiles.
func TestWidthsAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level    int
		n        int64
		size     int64
		wantSize int
	}{
		{0, 272, 70_000, 256}, {0, 273, 70_000, 112}, {0, 274, 70_000, 0}, {1, 0, 70_000, 256},
		{1, 1, 70_000, 17}, {2, 0, 70_000, 1}, {3, 0, 70_000, 0}, {63, 0, 70_000, 0},
		{0, 0, 256, 256}, {1, 0, 256, 1}, {0, 1, 256, 0}, {entriesLevel, 0, 255, 255},
	} {
		if got := (tile{c.level, c.n, 0}).widthAt(c.size); got != c.wantSize {
			t.Errorf("tile %d/%d at size %d: %d, want %d", c.level, c.n, c.size, got, c.wantSize)
		}
	}
}
