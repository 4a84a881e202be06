package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/facesoft/lapse/sinks"
)

var roomy = Options{SegmentBytes: 1 << 20, SegmentAge: time.Hour, MaxBytes: 1 << 30}

func in(dir string, o Options) Options {
	o.Dir = dir
	return o
}

func mustOpen(t *testing.T, o Options) *Spool {
	t.Helper()
	s, err := Open(o, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustAppend(t *testing.T, s *Spool, lines string) {
	t.Helper()
	if err := s.Append(t.Context(), []byte(lines)); err != nil {
		t.Fatal(err)
	}
}

// closedSegments returns the content of each segment that ingest would see.
func closedSegments(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(raw))
	}
	return contents
}

func TestAppendedLinesAreInASegmentOnceItIsClosed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s := mustOpen(t, in(dir, roomy))
	mustAppend(t, s, "1\n2\n")
	mustAppend(t, s, "3\n")
	if got := closedSegments(t, dir); len(got) != 0 {
		t.Errorf("a segment that is being written can be seen: %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := closedSegments(t, dir); len(got) != 1 || got[0] != "1\n2\n3\n" {
		t.Errorf("%q", got)
	}
	if err := s.Append(t.Context(), []byte("4\n")); !errors.Is(err, sinks.ErrUnavailable) {
		t.Errorf("a closed spool answers %v", err)
	}
}

func TestSegmentsAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, in(dir, roomy))
	mustAppend(t, s, "1\n")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSegmentIsClosedBySizeAndByAge(t *testing.T) {
	t.Parallel()
	o := in(t.TempDir(), roomy)
	o.SegmentBytes = 10
	var hours atomic.Int64
	s, err := Open(o, func() time.Time { return time.Unix(1e9, 0).Add(time.Duration(hours.Load()) * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the test is over
	mustAppend(t, s, "0123456789\n")
	mustAppend(t, s, "small\n")
	hours.Add(1)
	mustAppend(t, s, "later\n")
	if got := closedSegments(t, o.Dir); len(got) != 2 || got[0] != "0123456789\n" || got[1] != "small\n" {
		t.Errorf("%q", got)
	}
}

func TestAgedSegmentIsClosedAlthoughNobodyAppends(t *testing.T) {
	t.Parallel()
	o := in(t.TempDir(), roomy)
	o.SegmentAge = time.Millisecond
	s := mustOpen(t, o)
	mustAppend(t, s, "1\n")
	for deadline := time.Now().Add(20 * time.Second); len(closedSegments(t, o.Dir)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the segment stays open")
		}
	}
}

// TestManySendersShareASync has a disk that is slow: by the time that it is done, all who
// have something to store are waiting.
func TestManySendersShareASync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testManySendersShareASync)
}

func testManySendersShareASync(t *testing.T) {
	const senders, each = 16, 50
	var syncs atomic.Int64
	s, err := open(in(t.TempDir(), roomy), time.Now, func(path string) (file, error) {
		f, err := createFile(path)
		return &faulty{file: f, sync: func() error {
			time.Sleep(time.Millisecond)
			syncs.Add(1)
			return nil
		}}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for j := range each {
				if err := s.Append(t.Context(), fmt.Appendf(nil, "%d %d\n", i, j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := syncs.Load(); n > 2*each+2 { // those who were served together come back together
		t.Errorf("%d syncs for %d appends of %d senders", n, senders*each, senders)
	}
	got := strings.Join(closedSegments(t, s.options.Dir), "")
	for i := range senders {
		at := -1
		for j := range each {
			line := fmt.Sprintf("%d %d\n", i, j)
			next := strings.Index("\n"+got, "\n"+line)
			if next <= at || strings.Count("\n"+got, "\n"+line) != 1 {
				t.Fatalf("line %q is not there once and in order", line)
			}
			at = next
		}
	}
}

func TestFullSpoolTakesLinesAgainOnceSegmentsAreRemoved(t *testing.T) {
	t.Parallel()
	o := in(t.TempDir(), roomy)
	o.SegmentBytes, o.MaxBytes = 8, 20
	var seconds atomic.Int64
	s, err := Open(o, func() time.Time { return time.Unix(seconds.Load(), 0) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // the test is over
	for range 2 {
		mustAppend(t, s, "1234567\n")
	}
	if err := s.Append(t.Context(), []byte("1234567\n")); !errors.Is(err, sinks.ErrFull) {
		t.Fatalf("beyond the limit: %v", err)
	}
	mustAppend(t, s, "12\n") // as much as there is room for
	segments, err := filepath.Glob(filepath.Join(o.Dir, "*.ndjson"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, path := range segments {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	seconds.Add(2)
	mustAppend(t, s, "1234567\n")
}

func TestTwoProcessesDoNotShareASpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustOpen(t, in(dir, roomy))
	if _, err := Open(in(dir, roomy), time.Now); !errors.Is(err, sinks.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestWhatACrashHasTornIsCutOff(t *testing.T) {
	t.Parallel()
	for left, want := range map[string]string{
		"":                               "",
		"torn":                           "",
		"whole\n":                        "whole\n",
		"whole\ntorn":                    "whole\n",
		"whole\n\x00\x00\x00\n":          "whole\n",
		"whole\n{\"a\":1\x00\x00}\nx\n":  "whole\n",
		strings.Repeat("x", 70_000) + "": "",
		strings.Repeat("0123456\n", 9_000) + "torn": strings.Repeat("0123456\n", 9_000),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, openPrefix+"20240101T000000.000000Z-0.ndjson"), []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, in(dir, roomy))
		if got := strings.Join(closedSegments(t, dir), ""); got != want {
			t.Errorf("%.40q became %.40q", left, got)
		}
	}
}

// faulty is a file whose operations a test lets fail: with nil they work.
type faulty struct {
	file
	write    func(p []byte) (written int, err error)
	sync     func() error
	truncate func() error
}

func (f *faulty) Write(p []byte) (int, error) {
	if f.write != nil {
		if n, err := f.write(p); err != nil {
			m, _ := f.file.Write(p[:n])
			return m, err
		}
	}
	return f.file.Write(p)
}

func (f *faulty) Sync() error {
	if f.sync != nil {
		if err := f.sync(); err != nil {
			return err
		}
	}
	return f.file.Sync()
}

func (f *faulty) Truncate(size int64) error {
	if f.truncate != nil {
		if err := f.truncate(); err != nil {
			return err
		}
	}
	return f.file.Truncate(size)
}

// TestNoFaultOfTheDiskLosesOrTearsALine lets each operation fail at each turn: what
// was acknowledged is there once, what was refused for want of room is not there,
// and no line is torn.
func TestNoFaultOfTheDiskLosesOrTearsALine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		faults func(f *faulty, fail func() bool)
	}{
		{"full disk", func(f *faulty, fail func() bool) {
			f.write = func(p []byte) (int, error) {
				if fail() {
					return len(p) / 2, syscall.ENOSPC
				}
				return 0, nil
			}
		}},
		{"full disk at sync", func(f *faulty, fail func() bool) { f.sync = failing(fail, syscall.ENOSPC) }},
		{"failing sync", func(f *faulty, fail func() bool) { f.sync = failing(fail, syscall.EIO) }},
		{"failing write and truncation", func(f *faulty, fail func() bool) {
			f.write = func(p []byte) (int, error) {
				if fail() {
					return len(p) / 2, syscall.EIO
				}
				return 0, nil
			}
			f.truncate = failing(fail, syscall.EIO)
		}},
	} {
		for turn := range 6 {
			t.Run(fmt.Sprintf("%s/%d", c.name, turn), func(t *testing.T) {
				t.Parallel()
				dir, calls := t.TempDir(), 0
				s, err := open(in(dir, roomy), time.Now, func(path string) (file, error) {
					real, err := createFile(path)
					f := &faulty{file: real}
					c.faults(f, func() bool { calls++; return calls > turn && calls <= turn+3 })
					return f, err
				})
				if err != nil {
					t.Fatal(err)
				}
				var acknowledged string
				failed := 0
				for i := range 12 {
					line := fmt.Sprintf("line %d\n", i)
					err := s.Append(t.Context(), []byte(line))
					if strings.HasPrefix(c.name, "full disk") && err != nil && !errors.Is(err, sinks.ErrFull) {
						t.Errorf("a full disk is reported as %v", err)
					}
					if err == nil {
						acknowledged += line
					} else {
						failed++
					}
				}
				if failed == 0 || acknowledged == "" {
					t.Errorf("%d of 12 failed", failed)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(closedSegments(t, dir), ""); got != acknowledged {
					t.Errorf("acknowledged:\n%sstored:\n%s", acknowledged, got)
				}
			})
		}
	}
}

func failing(fail func() bool, err error) func() error {
	return func() error {
		if fail() {
			return err
		}
		return nil
	}
}
