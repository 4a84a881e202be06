package auditlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

func TestAppendFillsInWhatItPromises(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	clock := &clock{t: start.Add(1234567 * time.Nanosecond)}
	l := openTestLog(t, openTestFolder(t, t.TempDir()), k, clock.now)
	a, b, c := intent(sinks.ID{1}), outcome(sinks.ID{1}), intent(sinks.ID{2})
	mustAppend(t, l, a, b)
	clock.set(start.Add(-time.Hour)) // a clock that was set back
	mustAppend(t, l, c)
	want := start.Add(time.Millisecond)
	for _, e := range []*sinks.Entry{a, b, c} {
		if e.Format != sinks.EntryFormat || e.ID.IsZero() || e.Time != want {
			t.Errorf("format %d, id %v, time %v; want %v", e.Format, e.ID, e.Time, want)
		}
	}
	if a.ID == b.ID {
		t.Error("two entries have one ID")
	}
}

func TestBackwardsYieldsTheNewestFirst(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"settled", "staged"} {
		f := openTestFolder(t, t.TempDir())
		w := &writer{store: f, now: atStart}
		if err := w.use(testKey(t)); err != nil {
			t.Fatal(err)
		}
		var ids []sinks.ID
		for _, n := range []int{1, 2, 100, 27, 1, 300, 7} {
			r, err := newRequest(pairs(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.commit(context.Background(), r.batch, func(time.Time) {}); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ids...)
			if store == "settled" {
				w.mustFinish(t)
			}
		}
		seq := Backwards(context.Background(), f)
		w.mustCommit(t, 5) // after the call: not to be seen
		for e, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) == 0 || e.ID != ids[len(ids)-1] {
				t.Fatalf("%s: unexpected entry with %d to come", store, len(ids))
			}
			ids = ids[:len(ids)-1]
		}
		if len(ids) > 0 {
			t.Errorf("%s: %d entries are missing", store, len(ids))
		}
	}
}

func TestReadersFollowABusyWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := testKey(t)
	l := openTestLog(t, openTestFolder(t, dir), k, atStart)
	mustAppend(t, l, pairs(1)...)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mustAppend(t, l, pairs(2)...)
			}
		})
	}
	for n := 0; n < 3*tileWidth && !t.Failed(); {
		n = 0
		for _, err := range Backwards(ctx, ReadFolder(dir)) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		mustVerify(t, ReadFolder(dir), k)
		if _, err := Prove(ctx, ReadFolder(dir), Position{2026, int64(n - 1)}); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

func TestFiltersSelect(t *testing.T) {
	t.Parallel()
	clock := &clock{t: start}
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, testKey(t), clock.now)
	for hour := range 12 {
		clock.set(start.Add(time.Duration(hour) * time.Hour))
		entries := pairs(100)
		entries[0].Action, entries[1].Run = sinks.ActionPurgeItem, sinks.ID{byte(hour + 1)}
		entries[2].Dataset = sinks.MustName("accounts")
		mustAppend(t, l, entries...)
	}
	_ = l.Close()
	for name, c := range map[string]struct {
		filter Filter
		want   int
	}{
		"everything": {Filter{}, 1200},
		"from":       {Filter{From: start.Add(10 * time.Hour)}, 200},
		"until":      {Filter{Until: start.Add(time.Hour)}, 100},
		"both":       {Filter{From: start.Add(time.Minute), Until: start.Add(2*time.Hour + 1)}, 200},
		"run":        {Filter{Run: sinks.ID{5}}, 1},
		"action":     {Filter{Action: sinks.ActionPurgeItem}, 12},
		"dataset":    {Filter{Dataset: sinks.MustName("accounts"), From: start.Add(6 * time.Hour)}, 6},
		"nothing":    {Filter{From: start.Add(100 * time.Hour)}, 0},
	} {
		n := 0
		for _, err := range Entries(context.Background(), f, c.filter) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != c.want {
			t.Errorf("%s: %d entries, want %d", name, n, c.want)
		}
	}
}

func TestBadEntriesFailAlone(t *testing.T) {
	t.Parallel()
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, testKey(t), atStart)
	bad := intent(sinks.ID{1})
	bad.Result = sinks.ResultDone
	forbidden := intent(sinks.ID{1})
	forbidden.Action = sinks.ActionCloseYear
	large := intent(sinks.ID{1})
	large.Counts = map[sinks.Count]uint64{sinks.CountRead: 1 << 53}
	for _, e := range []*sinks.Entry{bad, forbidden, large} {
		if err := l.Append(context.Background(), intent(sinks.ID{2}), e); err == nil {
			t.Errorf("%+v was accepted", e)
		}
	}
	if _, _, err := Newest(context.Background(), f); !errors.Is(err, ErrNoLog) {
		t.Errorf("something was written: %v", err)
	}
	mustAppend(t, l, intent(sinks.ID{1}))
}

func TestClosedOrCancelledAppendsDoNothing(t *testing.T) {
	t.Parallel()
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, testKey(t), atStart)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Append(ctx, intent(sinks.ID{1})); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	_ = l.Close()
	if err := l.Append(context.Background(), intent(sinks.ID{1})); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
	if _, _, err := Newest(context.Background(), f); !errors.Is(err, ErrNoLog) {
		t.Errorf("something was written: %v", err)
	}
}

func TestWriterRefusesADamagedLog(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300)
	for name := range m {
		dir := t.TempDir()
		f := openTestFolder(t, dir)
		for other, b := range m {
			if other == name {
				b = append([]byte{}, b...)
				b[len(b)/2] ^= 1
			}
			if err := f.Write(context.Background(), File{other, b}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Open(context.Background(), f, k, atStart)
		// What is full is not read to append, and is for verification to find.
		if tl, ok := parseTile(strings.TrimPrefix(name, "2026/")); ok && tl.width == tileWidth {
			continue
		}
		if err == nil {
			t.Errorf("a log with a damaged %s was opened for writing", name)
		}
	}
}

func TestWriterRefusesAnotherKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTestLog(t, openTestFolder(t, dir), testKey(t), atStart)
	mustAppend(t, l, intent(sinks.ID{1}))
	_, err := Open(context.Background(), openTestFolder(t, dir), testKey(t), atStart)
	if !errors.Is(err, ErrWrongKey) {
		t.Errorf("%v, want %v", err, ErrWrongKey)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := openTestLog(t, openTestFolder(t, dir), testKey(t), atStart)
	mustAppend(t, l, pairs(300)...)
	_ = l.Close()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %#o", path, mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
