package auditlog

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

const testLog = "example.com/audit"

// start is when the clocks of the tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func atStart() time.Time { return start }

func testKey(t testing.TB) *PrivateKey {
	t.Helper()
	k, err := NewKey(testLog)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testVerifier(t testing.TB, k *PrivateKey) *Verifier {
	t.Helper()
	v, err := ParseVerifier(k.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openTestLog(t testing.TB, store Store, key Signer, now func() time.Time) *Log {
	t.Helper()
	l, err := Open(context.Background(), store, key, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustAppend(t testing.TB, l *Log, entries ...*sinks.Entry) {
	t.Helper()
	if err := l.Append(context.Background(), entries...); err != nil {
		t.Fatal(err)
	}
}

var testPolicy = sinks.PolicyRef{
	Hash:    sinks.Digest{1, 2, 3},
	Name:    sinks.MustName("facesoft"),
	Version: sinks.MustName("2018-11-28"),
}

// intent and outcome are entries as the runner writes them.
func intent(step sinks.ID) *sinks.Entry {
	return &sinks.Entry{
		Action:    sinks.ActionAnonymise,
		Actor:     sinks.ActorScheduler,
		AsOf:      start,
		Clause:    sinks.MustName("c12"),
		Dataset:   sinks.MustName("page_views"),
		Due:       start.Add(-24 * time.Hour),
		Job:       sinks.JobAnonymise,
		Partition: &sinks.Partition{Day: sinks.DayOf(start) - 400},
		Phase:     sinks.Intent,
		Policy:    testPolicy,
		Rule:      sinks.RuleEventTime,
		Run:       sinks.ID{1},
		Step:      step,
	}
}

func outcome(step sinks.ID) *sinks.Entry {
	e := intent(step)
	e.Phase, e.Result = sinks.Outcome, sinks.ResultDone
	e.Counts = map[sinks.Count]uint64{
		sinks.CountBefore: 1234, sinks.CountAfter: 0, sinks.CountPublished: 1200, sinks.CountSuppressed: 34,
	}
	e.K = &sinks.KResult{Classes: 17, K: 5, Smallest: 6}
	e.Query = sinks.Digest{9}
	e.Stages = []sinks.StageTime{
		{Stage: sinks.StagePublished, Time: start}, {Stage: sinks.StageRemoved, Time: start.Add(1500 * time.Millisecond)},
	}
	return e
}

// pairs returns n entries: intents, each followed by its outcome.
func pairs(n int) []*sinks.Entry {
	var entries []*sinks.Entry
	for len(entries) < n {
		step := sinks.NewID()
		entries = append(entries, intent(step), outcome(step))
	}
	return entries[:n]
}

// memory is Files that tests can tamper with.
type memory map[string][]byte

func (m memory) Read(_ context.Context, name string) ([]byte, error) {
	b, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(b), nil
}

func (m memory) List(_ context.Context, dir string) iter.Seq2[string, error] {
	names := map[string]bool{}
	for name := range m {
		if dir != "" {
			var ok bool
			if name, ok = strings.CutPrefix(name, dir+"/"); !ok {
				continue
			}
			dir := dir + "/"
			if i := strings.Index(name, "/"); i >= 0 {
				name = name[:i+1]
			}
			names[dir+name] = true
			continue
		}
		if i := strings.Index(name, "/"); i >= 0 {
			name = name[:i+1]
		}
		names[name] = true
	}
	return func(yield func(string, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// load reads a whole log into memory.
func load(t testing.TB, files Files) memory {
	t.Helper()
	m := memory{}
	for name, err := range Walk(context.Background(), files, "") {
		if err != nil {
			t.Fatal(err)
		}
		if m[name], err = files.Read(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m memory) clone() memory {
	c := memory{}
	for name, b := range m {
		c[name] = slices.Clone(b)
	}
	return c
}

func openTestFolder(t testing.TB, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mustVerify fails the test unless the log verifies.
func mustVerify(t testing.TB, files Files, k *PrivateKey, anchors ...Anchor) *Report {
	t.Helper()
	r, err := Verify(context.Background(), files, testVerifier(t, k), VerifyOptions{Anchors: anchors})
	if err != nil {
		for _, p := range r.problems() {
			t.Log(p)
		}
		t.Fatal(err)
	}
	return r
}

func (r *Report) problems() []Problem {
	if r == nil {
		return nil
	}
	return r.Problems
}

// mustFind fails the test unless verification blames a file.
func mustFind(t testing.TB, files Files, k *PrivateKey, file string, anchors ...Anchor) *Report {
	t.Helper()
	r, err := Verify(context.Background(), files, testVerifier(t, k), VerifyOptions{Anchors: anchors})
	if !errors.Is(err, ErrNotVerified) {
		t.Fatalf("verify: %v, want %v", err, ErrNotVerified)
	}
	if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.File == file }) {
		t.Fatalf("verification blames %v, want %s", r.Problems, file)
	}
	return r
}
