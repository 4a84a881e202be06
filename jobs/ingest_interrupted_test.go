package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// interrupted runs ingest on the given files until a statement has been carried out
// for the nth time, and then cancels the run.
func (s *site) interrupted(asOf time.Time, statement string, nth int, paths ...string) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	var seen atomic.Int32 // blocks are inserted side by side
	w := s.newWorker(func(name string) {
		if name == statement {
			if seen.Add(1) == int32(nth) {
				cancel()
			}
		}
	})
	job := w.ingestJob(paths...)
	if s.policy.Consent != nil {
		job.Gate = s.gate(100)
	}
	if _, err := w.run(ctx, job, asOf); !errors.Is(err, context.Canceled) {
		s.Fatalf("the run was not interrupted: %v", err)
	}
	if n := s.count("SELECT count() FROM {control}.sources FINAL WHERE NOT dated AND state = 'pending'"); n != 1 {
		s.Fatalf("%d sources are pending", n)
	}
}

// threeGroups are so many records that two groups can be on their way to the store
// while a third one is not.
const threeGroups = 70_000

func TestInterruptedFileIsCompleted(t *testing.T) {
	t.Parallel()
	content := pages(threeGroups)
	whole := newSite(t, config.Facesoft)
	whole.ingest(end(1), whole.write("pages", content))
	want := whole.held()
	for name, becomes := range map[string]func(s *site, path string) string{
		"where it lay": func(_ *site, path string) string { return path },
		"elsewhere": func(s *site, path string) string {
			moved := s.write("archive/pages", content)
			_ = os.Remove(path)
			return moved
		},
		"as nobody asks for it": func(s *site, _ string) string { return s.write("other", []byte("\n")) },
		"after it has grown": func(s *site, path string) string {
			s.write("pages", append(bytes.Clone(content), "\n\n"...))
			return path
		},
		"as a compressed copy": func(s *site, path string) string {
			_ = os.Remove(path)
			return s.write("pages.gz", gzipped(content))
		},
		"after it was replaced": func(s *site, path string) string {
			s.write("pages", bytes.Repeat([]byte("\n"), len(content)))
			return s.write("pages.1", content[:len(content)-1])
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, config.Facesoft)
			path := s.write("pages", content)
			s.interrupted(end(1), "insert_block", 1, path)
			if n := s.count("SELECT count() FROM {personal}.events"); n == 0 || n >= threeGroups {
				t.Fatalf("%d rows were stored before the interruption", n)
			}
			_, err := s.run(t.Context(), s.ingestJob(becomes(s, path)), end(1))
			if err != nil && !errors.Is(err, sinks.ErrSourceMissing) {
				t.Fatal(err)
			}
			if got := s.held(); got != want {
				t.Errorf("held:\n%s\nundisturbed:\n%s", got, want)
			}
			if n := s.count("SELECT count() FROM {control}.sources FINAL WHERE NOT dated AND state = 'pending'"); n > 0 {
				t.Errorf("%d sources are still pending", n)
			}
			if report := s.anonymise(end(40)); report.Steps == 0 {
				t.Error("nothing was anonymised")
			}
			s.audited()
		})
	}
}

// Until a file is complete, the days it has rows on are not.
func TestDaysOfAnInterruptedFileWait(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	path := s.write("pages", pages(threeGroups))
	s.interrupted(end(1), "insert_block", 1, path)
	before := s.held()
	report, err := s.run(t.Context(), s.anonymiseJob(), end(40))
	if err != nil || len(report.Blocked) == 0 || report.Steps > 0 {
		t.Errorf("%d days wait, %d were done: %v", len(report.Blocked), report.Steps, err)
	}
	if after := s.held(); after != before {
		t.Error("rows of an incomplete file were touched")
	}
	s.ingest(end(1), path)
	if report := s.anonymise(end(40)); report.Steps == 0 {
		t.Error("nothing was anonymised after the file was complete")
	}
}

// A record from the future of the first run is not from that of the second. The
// second one decides as the first did, or else rows would vanish under its tokens.
func TestInterruptedFileIsReadAsOfItsFirstRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	content := pages(40_000) // four weeks
	path := s.write("pages", content)
	first := end(0).Add(100 * time.Hour)
	s.interrupted(first, "insert_block", 1, path)
	got := total(s.ingest(end(2), path))
	accepted := (100 + 24) * 60 // minutes, with the tolerance for clocks that are ahead
	if want := (account{read: 40_000, stored: accepted + 1, quarantined: 40_000 - accepted - 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n != got.stored {
		t.Errorf("%d rows are held, %d were counted", n, got.stored)
	}
}

// Between an interruption and the repetition somebody may be erased whose rows had
// been stored. That may not keep the file from being completed.
func TestErasureOfAnInterruptedFilesRowsDoesNotHoldItUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	var b bytes.Buffer
	call := func(kind string, n int, user string, at time.Time) {
		fmt.Fprintf(&b, `{"type":%q,"event":"Account Deleted","messageId":"%s-%d","userId":%q,"timestamp":%q,"traits":{"email":"%s@example.org"}}`+"\n", kind, kind, n, user, at.Format(time.RFC3339), user)
	}
	for n := range 100 {
		call("identify", n, fmt.Sprint("user", n), end(0))
	}
	call("track", 0, "user7", end(0).Add(time.Hour))
	b.Write(pages(40_000))
	path := s.write("calls", b.Bytes())
	s.interrupted(end(1), "insert_block", 2, path)
	if n := s.count("SELECT count() FROM {personal}.accounts"); n != 100 {
		t.Fatalf("%d accounts were stored before the interruption", n)
	}
	erase := func() {
		t.Helper()
		if _, err := s.run(t.Context(), s.purgeJob(), end(3)); err != nil {
			t.Fatal(err)
		}
		if n := s.count("SELECT count() FROM {personal}.accounts"); n != 99 {
			t.Errorf("%d accounts are held, want 99", n)
		}
	}
	erase()
	s.ingest(end(3), path)
	erase()
	if report := s.ingest(end(3), path); report.Steps != 0 {
		t.Errorf("the file is read again")
	}
}
