package auditlog

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// flip is one bit of one file.
type flip struct {
	name string
	bit  int
}

func (f flip) apply(b []byte) { b[f.bit/8] ^= 1 << (f.bit % 8) }

// mustFindFlips verifies a log once for each flip, and fails the test unless the
// file is blamed.
func mustFindFlips(t *testing.T, m memory, k *PrivateKey, flips func(yield func(flip) bool)) {
	t.Helper()
	key := testVerifier(t, k)
	work := make(chan flip, 1024)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			c := m.clone()
			for f := range work {
				f.apply(c[f.name])
				r, err := Verify(context.Background(), c, key, VerifyOptions{Workers: 1})
				f.apply(c[f.name])
				blamed := func(p Problem) bool { return p.File == f.name }
				if !errors.Is(err, ErrNotVerified) || !slices.ContainsFunc(r.Problems, blamed) {
					t.Errorf("bit %d of %s: %v", f.bit, f.name, err)
				}
			}
		})
	}
	n := 0
	for f := range flips {
		work <- f
		n++
	}
	close(work)
	wg.Wait()
	t.Logf("%d bits flipped", n)
}

// everyBit yields the bits of all files, or of every step-th.
func everyBit(m memory, step int) func(func(flip) bool) {
	return func(yield func(flip) bool) {
		next := 0
		for _, name := range slices.Sorted(maps.Keys(m)) {
			for ; next < 8*len(m[name]); next += step {
				if !yield(flip{name, next}) {
					return
				}
			}
			next -= 8 * len(m[name])
		}
	}
}

// TestEveryBitOfASmallLogMatters verifies a log of two years, with a key
// rotation, partial tiles, and a staged batch, once for each of its bits.
func TestEveryBitOfASmallLogMatters(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	clock := &clock{t: start}
	f := openTestFolder(t, t.TempDir())
	w := &writer{store: f, now: clock.now}
	if err := w.use(k); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(t, 1)
	w.commitRotation(testKey(t))
	clock.set(start.AddDate(1, 0, 0))
	w.mustCommit(t, 1)
	w.mustFinish(t)
	w.mustCommit(t, 1)
	m := load(t, f)
	if r := mustVerify(t, m, k); r.Staged != 1 || len(r.Keys) != 2 || len(r.Years) != 2 {
		t.Fatalf("%+v", r)
	}
	mustFindFlips(t, m, k, everyBit(m, 1))
}

// TestEveryBitOfAThousandEntriesMatters flips every bit of a log of 1,000
// entries. Verifying the whole log for each takes hours, so that is done for every
// 4001st bit (every 61st in the soak), and for all of them the one comparison is
// made that decides: of an entry's hash with the tile's, or of a file with what
// verification expects in its place.
func TestEveryBitOfAThousandEntriesMatters(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 200, 300, 400, 100)
	mustVerify(t, m, k)
	step := 4001
	if soak() {
		step = 61
	}
	mustFindFlips(t, m, k, everyBit(m, step))
	for name, b := range m {
		if tile, ok := parseTile(name[len("2026/"):]); ok && tile.level == entriesLevel {
			checkBundleFlips(t, m, tile)
		} else {
			checkComparedFlips(t, name, b)
		}
	}
	mustFindFlips(t, m, k, everyBit(memory{"2026/checkpoint": m["2026/checkpoint"]}, 1))
}

// checkBundleFlips flips each bit of a bundle. In a length, the bundle must not
// split into the same entries; in an entry, its hash must not be the tile's.
func checkBundleFlips(t *testing.T, m memory, bundle tile) {
	t.Helper()
	b := m["2026/"+bundle.path()]
	entries, err := splitBundle(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	hashes, ok := splitHashes(m["2026/"+tile{0, bundle.n, bundle.width}.path()])
	if !ok || len(hashes) != len(entries) {
		t.Fatalf("no tile for %v", bundle)
	}
	for i, e := range entries {
		at := offset(b, e)
		length := b[at-lengthSize : at]
		for bit := range 8 * lengthSize {
			flip{"", bit}.apply(length)
			if split, err := splitBundle(nil, b); err == nil && slices.Equal(leafHashes(split), hashes) {
				t.Errorf("bit %d of the length of entry %d of %v changes nothing", bit, i, bundle)
			}
			flip{"", bit}.apply(length)
		}
		for bit := range 8 * len(e) {
			flip{"", bit}.apply(e)
			if tlog.RecordHash(e) == hashes[i] {
				t.Errorf("bit %d of entry %d of %v changes nothing", bit, i, bundle)
			}
			flip{"", bit}.apply(e)
		}
	}
}

// offset returns where an entry of a bundle begins.
func offset(bundle, entry []byte) int {
	for i := range bundle {
		if &bundle[i] == &entry[0] {
			return i
		}
	}
	panic("not an entry of this bundle")
}

func checkComparedFlips(t *testing.T, name string, b []byte) {
	t.Helper()
	c := bytes.Clone(b)
	for bit := range 8 * len(b) {
		flip{"", bit}.apply(c)
		if bytes.Equal(b, c) {
			t.Errorf("bit %d of %s changes nothing", bit, name)
		}
		flip{"", bit}.apply(c)
	}
}

// TestAnyDamageIsFound damages a log at random, in coarser ways than a bit.
func TestAnyDamageIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := stagedLog(t, k)
	names := slices.Sorted(maps.Keys(m))
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		c, name := m.clone(), names[random.IntN(len(names))]
		b := c[name]
		from := random.IntN(len(b))
		to := from + random.IntN(min(len(b)-from, 400)) + 1
		switch random.IntN(5) {
		case 0:
			b = slices.Delete(b, from, to)
		case 1:
			b = slices.Insert(b, from, b[from:to]...)
		case 2:
			for i := range b[from:to] {
				b[from+i] = byte(random.Uint32())
			}
		case 3:
			b = b[:from]
		case 4:
			b = slices.Clone(c[names[random.IntN(len(names))]])
		}
		if bytes.Equal(b, m[name]) {
			continue
		}
		c[name] = b
		mustFind(t, c, k, name)
	}
}
