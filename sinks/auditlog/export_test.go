package auditlog

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// export returns a log's export as Files.
func export(t *testing.T, files Files) memory {
	t.Helper()
	m := memory{}
	err := Export(context.Background(), files, func(f File) error {
		m[f.Name] = f.Data
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExportIsTheLogWithoutStaging(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	for name, m := range map[string]memory{
		"settled": writeLog(t, k, 300, 400),
		"staged":  stagedLog(t, k),
	} {
		e := export(t, m)
		if r, want := mustVerify(t, e, k), mustVerify(t, m, k); r.Entries != want.Entries || r.Years[0] != want.Years[0] || r.Staged != 0 {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
		for file := range e {
			if strings.Contains(file, stagingDir) {
				t.Errorf("%s: %s was exported", name, file)
			}
		}
	}
	if err := Export(context.Background(), memory{}, nil); !errors.Is(err, ErrNoLog) {
		t.Errorf("%v, want %v", err, ErrNoLog)
	}
}

// TestExportFollowsKeysAndYears exports a log whose newest entry is a rotation
// that no writer has settled.
func TestExportFollowsKeysAndYears(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	clock := &clock{t: start}
	f := openTestFolder(t, t.TempDir())
	w := &writer{store: f, now: clock.now}
	if err := w.use(k); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(t, 300)
	w.commitRotation(testKey(t))
	clock.set(start.AddDate(1, 0, 0))
	w.mustCommit(t, 3)
	w.commitRotation(testKey(t))
	m := load(t, f)
	r := mustVerify(t, export(t, m), k)
	if len(r.Keys) != 3 || len(r.Years) != 2 || r.Staged != 0 {
		t.Errorf("%+v", r)
	}
}

func TestExportBesideAWriterVerifies(t *testing.T) {
	t.Parallel()
	k, dir := testKey(t), t.TempDir()
	l := openTestLog(t, openTestFolder(t, dir), k, time.Now)
	mustAppend(t, l, pairs(10)...)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				mustAppend(t, l, pairs(7)...)
			}
		}
	})
	for range 20 {
		mustVerify(t, export(t, ReadFolder(dir)), k)
	}
	close(done)
	wg.Wait()
}

func TestEncodedEntriesAreYieldedFromAnyPlace(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	clock := &clock{t: start}
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, k, clock.now)
	mustAppend(t, l, pairs(600)...)
	clock.set(start.AddDate(1, 0, 0))
	mustAppend(t, l, pairs(10)...)
	_ = l.Close()
	var all []Record
	for r, err := range Entries(context.Background(), f, Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	for _, from := range []Position{{}, {2026, 0}, {2026, 255}, {2026, 256}, {2026, 600}, {2026, 601}, {2027, 0}, {2027, 10}, {2027, 11}, {2028, 0}} {
		want := 0
		for want < len(all) && (all[want].Year < from.Year || all[want].Year == from.Year && all[want].Index < from.Index) {
			want++
		}
		for r, err := range Encoded(context.Background(), f, from.Year, from.Index) {
			if err != nil {
				t.Fatal(err)
			}
			e, err := Decode(r.Entry)
			if err != nil || want == len(all) || (Position{r.Year, r.Index}) != all[want].Position || e.ID != all[want].Entry.ID {
				t.Fatalf("from %v: %v at %d/%d, want entry %d of %d", from, err, r.Year, r.Index, want, len(all))
			}
			want++
		}
		if want != len(all) {
			t.Errorf("from %v: ended at %d of %d", from, want, len(all))
		}
	}
}
