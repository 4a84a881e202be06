package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// testStore is the conformance suite of Store. Each call of open returns another
// view of the same, empty place, as another process would have.
func testStore(t *testing.T, open func(t *testing.T) Store) {
	ctx := context.Background()
	t.Run("ReadsWhatWasWritten", func(t *testing.T) {
		s := open(t)
		want := bytes.Repeat([]byte{0, 1, 2, '\n'}, 50_000)
		if err := s.Write(ctx, File{"r/a/b", want}, File{"r/c", []byte("c")}); err != nil {
			t.Fatal(err)
		}
		if got, err := open(t).Read(ctx, "r/a/b"); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("SaysThatAFileIsMissing", func(t *testing.T) {
		if _, err := open(t).Read(ctx, "missing/file"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%v, want %v", err, fs.ErrNotExist)
		}
	})
	t.Run("NeverReplacesAWrittenFile", func(t *testing.T) {
		s := open(t)
		first := File{"w/a", []byte("first")}
		if err := errors.Join(s.Write(ctx, first), s.Write(ctx, first)); err != nil {
			t.Fatalf("the same content again: %v", err)
		}
		if err := s.Write(ctx, File{"w/a", []byte("other")}); !errors.Is(err, ErrDiffers) {
			t.Fatalf("%v, want %v", err, ErrDiffers)
		}
		if got, err := s.Read(ctx, "w/a"); err != nil || string(got) != "first" {
			t.Fatalf("%q, %v", got, err)
		}
	})
	t.Run("ListsOneDirectory", func(t *testing.T) {
		s := open(t)
		files := []File{{"l/b/1", nil}, {"l/a", []byte("a")}, {"l/b/c/2", []byte("2")}, {"lx", []byte("x")}}
		files[0].Data = []byte("1")
		if err := s.Write(ctx, files...); err != nil {
			t.Fatal(err)
		}
		if got := list(t, s, "l"); !slices.Equal(got, []string{"l/a", "l/b/"}) {
			t.Errorf("l: %q", got)
		}
		if got := list(t, s, "l/nothing"); len(got) > 0 {
			t.Errorf("a missing directory: %q", got)
		}
		if got := list(t, s, ""); !slices.Contains(got, "l/") || !slices.Contains(got, "lx") {
			t.Errorf("top: %q", got)
		}
	})
	t.Run("RemovesFilesAndDirectories", func(t *testing.T) {
		s := open(t)
		if err := s.Write(ctx, File{"d/a", []byte("a")}, File{"d/b/1", []byte("1")}, File{"d/b/2", []byte("2")}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Remove(ctx, "d/a"), s.Remove(ctx, "d/a"), s.Remove(ctx, "d/b/"), s.Remove(ctx, "d/b/")); err != nil {
			t.Fatal(err)
		}
		if got := list(t, s, "d"); len(got) > 0 && !slices.Equal(got, []string{"d/"}) {
			t.Errorf("%q is left", got)
		}
		if err := s.Write(ctx, File{"d/b/1", []byte("again")}); err != nil {
			t.Errorf("writing into a removed directory: %v", err)
		}
	})
	t.Run("SwapsOnlyWhatIsStillTheSame", func(t *testing.T) { testSwap(t, open(t), open(t)) })
	t.Run("LetsOneOfManySwap", func(t *testing.T) { testSwapRace(t, open) })
	t.Run("KeepsNamesInside", func(t *testing.T) {
		s := open(t)
		for _, name := range []string{"", "../x", "/x", "a/../../x", "a//b", "."} {
			_, err := s.Read(ctx, name)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("read %q: %v", name, err)
			}
			if s.Write(ctx, File{name, []byte("x")}) == nil || s.Remove(ctx, name) == nil || s.Swap(ctx, name, nil, []byte("x")) == nil {
				t.Errorf("name %q was accepted", name)
			}
		}
	})
}

func list(t *testing.T, s Files, dir string) (names []string) {
	t.Helper()
	for name, err := range s.List(context.Background(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func testSwap(t *testing.T, a, b Store) {
	ctx := context.Background()
	one, two := []byte("one"), []byte("two")
	steps := []struct {
		s         Store
		old, data []byte
		want      error
	}{
		{a, one, two, ErrConflict}, // there is nothing yet
		{a, nil, one, nil},
		{b, nil, two, ErrConflict},
		{b, two, one, ErrConflict},
		{b, one, one, nil}, // confirms
		{b, one, two, nil},
		{a, one, two, ErrConflict},
		{a, two, one, nil},
		{a, one, two, nil},
	}
	for i, s := range steps {
		if err := s.s.Swap(ctx, "swap/checkpoint", s.old, s.data); !errors.Is(err, s.want) {
			t.Fatalf("step %d: %v, want %v", i, err, s.want)
		}
	}
	if got, err := b.Read(ctx, "swap/checkpoint"); err != nil || string(got) != "two" {
		t.Fatalf("%q, %v", got, err)
	}
}

// testSwapRace counts with many writers at once: each number is reached once.
func testSwapRace(t *testing.T, open func(t *testing.T) Store) {
	const writers, rounds = 4, 25
	var won atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		s := open(t)
		wg.Go(func() {
			for {
				old, err := s.Read(context.Background(), "race/count")
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(old))
				if n == rounds {
					return
				}
				err = s.Swap(context.Background(), "race/count", old, []byte(strconv.Itoa(n+1)))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if won.Load() != rounds {
		t.Fatalf("%d swaps succeeded in counting to %d", won.Load(), rounds)
	}
}

// testLogOn is what a log must do on every Store.
func testLogOn(t *testing.T, open func(t *testing.T) Store) {
	k := testKey(t)
	const writers, each = 3, 40
	var wg sync.WaitGroup
	for range writers {
		l := openTestLog(t, open(t), k, atStart)
		wg.Go(func() {
			for _, e := range pairs(each) {
				if err := l.Append(context.Background(), e); err != nil {
					t.Error(err)
					return
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r := mustVerify(t, open(t), k)
	if r.Entries != writers*each || r.OpenSteps != 0 {
		t.Fatalf("%d entries, %d open; want %d, 0", r.Entries, r.OpenSteps, writers*each)
	}
	l := openTestLog(t, open(t), k, atStart) // settles what the last writer left
	mustAppend(t, l, pairs(300)...)
	_ = l.Close()
	if r := mustVerify(t, open(t), k); r.Staged != 0 || len(r.Leftovers) != 0 {
		t.Fatalf("%d entries staged, leftovers %q", r.Staged, r.Leftovers)
	}
}

func TestFolderIsAStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testStore(t, func(t *testing.T) Store { return openTestFolder(t, dir) })
}

func TestLogOnAFolderIsOneHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testLogOn(t, func(t *testing.T) Store { return openTestFolder(t, dir) })
}

// takingNoTurns is a Folder without the lock that spares writers conflicts.
type takingNoTurns struct{ Store }

func TestTheFenceAloneKeepsOneHistory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testLogOn(t, func(t *testing.T) Store { return takingNoTurns{openTestFolder(t, dir)} })
}
