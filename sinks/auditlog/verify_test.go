package auditlog

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
)

func TestUntouchedLogVerifies(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 1, 1, 254, 256, 400, 88)
	r := mustVerify(t, m, k)
	if r.Entries != 1000 || r.Intents != 501 || r.Outcomes != 499 || len(r.Years) != 1 || r.Years[0].Size != 1000 {
		t.Errorf("%+v", r)
	}
	if r.OpenSteps != 2 || r.Open[0].String() != "2026/0" || r.Open[1].String() != "2026/1" {
		t.Errorf("open: %d, %v; want the two intents without an outcome", r.OpenSteps, r.Open)
	}
	if !slices.Equal(r.Keys, []string{k.VerifierKey()}) {
		t.Errorf("keys: %q", r.Keys)
	}
}

func TestPlaceWithoutALogIsNoVerdict(t *testing.T) {
	t.Parallel()
	_, err := Verify(context.Background(), memory{}, testVerifier(t, testKey(t)), VerifyOptions{})
	if !errors.Is(err, ErrNoLog) {
		t.Fatalf("%v, want %v", err, ErrNoLog)
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	t.Parallel()
	m := writeLog(t, testKey(t), 10)
	mustFind(t, m, testKey(t), "2026/checkpoint")
}

func TestAnyMissingFileIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300, 200)
	for name := range m {
		if strings.HasSuffix(name, ".p/44") {
			continue // superseded: a log need not keep it
		}
		c := m.clone()
		delete(c, name)
		mustFind(t, c, k, name)
	}
}

func TestForeignFilesAreFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300)
	for _, name := range []string{
		"notes.txt", "2026/notes.txt", "2026/tile/0/002", "2026/tile/0/001.p/45", "2026/tile/2/000.p/1",
		"2026/tile/entries/001", "2026/tile/entries/0", "2026/tile/8/0/000", "2026/staging/x",
		"2026/rotations/7", "2026/rotations/07", "12026", "2026/tile/0/000.p/256",
	} {
		c := m.clone()
		c[name] = []byte("x")
		mustFind(t, c, k, name)
	}
}

func TestTruncationIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		for _, cut := range []int{1, 32, len(m[name]) / 2, len(m[name])} {
			c := m.clone()
			c[name] = c[name][:len(m[name])-min(cut, len(m[name]))]
			mustFind(t, c, k, name)
		}
	}
}

// rewrite replaces a bundle's entries, and the tiles too if asked, so that the
// files agree with each other again.
func rewrite(t *testing.T, m memory, change func(entries [][]byte)) memory {
	t.Helper()
	var all [][]byte
	for n := range int64(2) {
		name := tile{entriesLevel, n, tile{entriesLevel, n, 0}.widthAt(300)}.path()
		entries, err := splitBundle(nil, m["2026/"+name])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
	}
	change(all)
	c := m.clone()
	for _, f := range emptyHead(2026).settled.grow(2026, all).tiles {
		c[f.Name] = f.Data
	}
	return c
}

func TestReorderingIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300)
	swapped := rewrite(t, m, func(e [][]byte) { e[17], e[19] = e[19], e[17] })
	mustFind(t, swapped, k, "2026/checkpoint")
	swapped["2026/tile/0/000"] = m["2026/tile/0/000"]
	swapped["2026/tile/1/000.p/1"] = m["2026/tile/1/000.p/1"]
	r := mustFind(t, swapped, k, "2026/tile/entries/000")
	if r.Problems[0].Entry != 17 {
		t.Errorf("%v, want entry 17", r.Problems)
	}
}

func TestSplicingIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m, other := writeLog(t, k, 300), writeLog(t, k, 300)
	for name := range m {
		c := m.clone()
		c[name] = other[name] // by the same key, at the same size
		mustFind(t, c, k, map[bool]string{true: "2026/checkpoint", false: name}[name == "2026/checkpoint"])
	}
	inserted := rewrite(t, m, func(e [][]byte) { e[200] = encodeAll(t, start, intent(sinks.NewID()))[0] })
	mustFind(t, inserted, k, "2026/checkpoint")
}

func TestRollbackIsFoundWithAnAnchor(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, k, atStart)
	mustAppend(t, l, pairs(100)...)
	old := load(t, f)
	mustAppend(t, l, pairs(100)...)
	_ = l.Close()
	now := load(t, f)
	anchor := func(m memory) Anchor { return Anchor{"anchor", m["2026/checkpoint"]} }
	mustVerify(t, old, k)
	if r := mustVerify(t, now, k, anchor(old), anchor(now)); r.Anchors != 2 {
		t.Errorf("%d anchors, want 2", r.Anchors)
	}
	mustFind(t, old, k, "anchor", anchor(now))

	now["2026/checkpoint"] = old["2026/checkpoint"]
	mustFind(t, now, k, "2026/tile/entries/000.p/200") // even without the anchor
}

func TestForkedHistoryIsFoundWithAnAnchor(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	dir := t.TempDir()
	l := openTestLog(t, openTestFolder(t, dir), k, atStart)
	mustAppend(t, l, pairs(100)...)
	_ = l.Close()
	common := load(t, ReadFolder(dir))
	var forks [2]memory
	for i := range forks {
		d := t.TempDir()
		f := openTestFolder(t, d)
		for name, b := range common {
			if err := f.Write(context.Background(), File{name, b}); err != nil {
				t.Fatal(err)
			}
		}
		l := openTestLog(t, f, k, atStart)
		mustAppend(t, l, pairs(100+i)...)
		_ = l.Close()
		forks[i] = load(t, f)
		mustVerify(t, forks[i], k, Anchor{"common", common["2026/checkpoint"]})
	}
	mustFind(t, forks[1], k, "fork", Anchor{"fork", forks[0]["2026/checkpoint"]})
	mustFind(t, forks[0], k, "fork", Anchor{"fork", forks[1]["2026/checkpoint"]})
}

func TestAnchorsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 10)
	foreign := writeLog(t, testKey(t), 5)
	mustFind(t, m, k, "a", Anchor{"a", foreign["2026/checkpoint"]})
	mustFind(t, m, k, "a", Anchor{"a", []byte("not a note")})
}

func TestWhatTheKeyHolderMayNotSignIsFound(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	step := sinks.NewID()
	valid := encodeAll(t, start, intent(step), outcome(step), intent(sinks.NewID()))
	mustVerify(t, forge(t, 2026, valid, k), k)
	replace := func(b []byte, old, new string) []byte {
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("%s has no %s", b, old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	}
	for name, c := range map[string]struct {
		entries [][]byte
		entry   int64
	}{
		"an outcome without an intent": {encodeAll(t, start, intent(step), outcome(sinks.NewID())), 1},
		"an outcome before its intent": {encodeAll(t, start, outcome(step), intent(step)), 0},
		"time that runs backwards":     {[][]byte{valid[1], valid[0], valid[2]}, 1},
		"another year's entry":         {encodeAll(t, start.AddDate(1, 0, 0), intent(step)), 0},
		"a space":                      {[][]byte{valid[0], replace(valid[1], ",", ", ")}, 1},
		"an unknown member":            {[][]byte{valid[0], replace(valid[1], `"actor"`, `"acto":1,"actor"`)}, 1},
		"an unknown word":              {[][]byte{valid[0], replace(valid[1], "anonymise", "anonymize")}, 1},
		"free text":                    {[][]byte{valid[0], replace(valid[1], "page_views", "Jane Doe")}, 1},
		"an opening of the first year": {encodeAll(t, start, opening(sinks.LogHead{Size: 1, Year: 2025}), intent(step)), 0},
		"a close that is not the end":  {encodeAll(t, start, ownEntry(sinks.ActionCloseYear, prov, start), intent(step)), 0},
	} {
		m := forge(t, 2026, c.entries, k)
		r, err := Verify(context.Background(), m, testVerifier(t, k), VerifyOptions{})
		if !errors.Is(err, ErrNotVerified) || r.Problems[0].Entry != c.entry ||
			!strings.HasPrefix(r.Problems[0].File, "2026/tile/entries/000.p/") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "Jane") {
			t.Errorf("the verdict quotes the log: %v", err)
		}
	}
}

var prov = provenance{actor: sinks.ActorOperator, run: sinks.ID{7}, policy: testPolicy}

func opening(end sinks.LogHead) *sinks.Entry {
	e := ownEntry(sinks.ActionOpenYear, prov, start)
	e.Continues = &end
	return e
}

func TestLogOfAWriterThatDiedVerifiesAsItLies(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := stagedLog(t, k)
	r := mustVerify(t, m, k)
	if r.Staged == 0 || r.Entries != 310 {
		t.Fatalf("%d entries, %d staged", r.Entries, r.Staged)
	}
	m["2026/staging/400-"+strings.Repeat("ab", 32)] = []byte("a batch that was never committed")
	if r := mustVerify(t, m, k); len(r.Leftovers) != 1 {
		t.Errorf("leftovers: %q", r.Leftovers)
	}
}

// stagedLog is a log of 310 entries of which the last 20 have no tiles yet.
func stagedLog(t testing.TB, k *PrivateKey) memory {
	t.Helper()
	f := openTestFolder(t, t.TempDir())
	w := &writer{store: f, now: atStart}
	if err := w.use(k); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(t, 290)
	w.mustFinish(t)
	w.mustCommit(t, 15)
	w.mustCommit(t, 5)
	return load(t, f)
}
