package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

// crowd is the input of a company with more events in a month than a group holds.
var crowd = sync.OnceValue(func() *generated {
	c := traffic.Default()
	c.Months, c.People, c.Events, c.AccessLines, c.Images = 2, 2000, 150_000, 0, 0
	c.Compression = traffic.Zstd
	c.Dirt = traffic.Dirt{Duplicates: 0.05, LaterFile: 0.2, Broken: 0.01, Skewed: 0.03, Late: 0.03}
	return generate(c)
})

// matches compares the ledger and the tables with the truth.
func (s *site) matches(truth *traffic.Truth) {
	s.Helper()
	var sum account
	for _, days := range s.accounts() {
		for _, a := range days {
			sum = sum.plus(a)
		}
	}
	w := traffic.Total(truth.Telemetry).Total
	if want := (account{w.Lines, w.Records, w.Broken, 0, w.Duplicates}); sum != want {
		s.Errorf("counted %+v, truth %+v", sum, want)
	}
	s.holdsTheTruth(truth)
}

// There are copies within a group, a file, and across files.
func TestAccountIsExactOverGroupsAndFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.receive(crowd(), end(8))
	s.ingest(end(8), s.input())
	s.matches(crowd().truth)
}

// faulty is an intake one of whose inserts fails: before anything has happened, or
// when all is stored but the answer is lost.
type faulty struct {
	sinks.Intake
	inserts atomic.Int64 // how many are still well
	stores  bool
}

var errFault = errors.New("fault")

func (f *faulty) Insert(ctx context.Context, b *sinks.Block, token sinks.ID) error {
	if f.inserts.Add(-1) >= 0 {
		return f.Intake.Insert(ctx, b, token)
	}
	if !f.stores {
		return errFault
	}
	return errors.Join(f.Intake.Insert(ctx, b, token), errFault)
}

func TestIngestThatFailsIsTakenUpExactly(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, config.Facesoft)
			s.receive(crowd(), end(8))
			for well := int64(1); ; well += 3 {
				job := s.ingestJob(s.input())
				f := &faulty{Intake: s.store, stores: stores}
				f.inserts.Store(well)
				job.Intake = f
				_, err := s.run(t.Context(), job, end(8))
				if err == nil {
					break
				}
				if !errors.Is(err, errFault) || well > 60 {
					t.Fatalf("after %d inserts: %v", well, err)
				}
			}
			s.matches(crowd().truth)
		})
	}
}

func TestCopiesWithinAFewLinesAreStoredOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	event := func(id string, minute int) string {
		return fmt.Sprintf(`{"type":"page","messageId":%q,"timestamp":"2024-05-01T10:%02d:00Z"}`, id, minute)
	}
	first := s.write("a.ndjson", []byte(strings.Join([]string{event("a", 1), event("b", 2), event("a", 1), "nonsense", "nonsense", event("c", 3)}, "\n")))
	second := s.write("b.ndjson", []byte(strings.Join([]string{event("d", 4), event("b", 2), event("d", 5)}, "\n")))
	if got, want := total(s.ingest(end(8), first)), (account{6, 3, 2, 0, 1}); got != want {
		t.Errorf("%s: %+v, want %+v", filepath.Base(first), got, want)
	}
	if got, want := total(s.ingest(end(8), second)), (account{3, 1, 0, 0, 2}); got != want {
		t.Errorf("%s: %+v, want %+v", filepath.Base(second), got, want)
	}
}
