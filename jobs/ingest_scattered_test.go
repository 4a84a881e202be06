package jobs_test

import (
	"context"
	"sync"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// waitingIntake has somebody wait, from the first insert on, for what was admitted.
type waitingIntake struct {
	sinks.Intake
	locks   sinks.Locker
	once    sync.Once
	mu      sync.Mutex
	inserts int
	met     chan error
	after   int // inserts that had begun when the wait was over
}

func (w *waitingIntake) Insert(ctx context.Context, b *sinks.Block, token sinks.ID) error {
	w.mu.Lock()
	w.inserts++
	w.mu.Unlock()
	w.once.Do(func() {
		go func() {
			err := jobs.AwaitAdmitted(ctx, w.locks)
			w.mu.Lock()
			w.after = w.inserts
			w.mu.Unlock()
			w.met <- err
		}()
	})
	return w.Intake.Insert(ctx, b, token)
}

// Rows of days with few rows are held back over groups. Who waits until all is stored
// that was admitted, as an erasure does, does not wait for the end of the source, and the
// source does not wait for ever for who waits.
func TestRowsHeldBackKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.receive(crowd(), end(8))
	w := &waitingIntake{Intake: s.store, locks: s.runner.Locks, met: make(chan error, 1)}
	job := s.ingestJob(s.input())
	job.Intake = w
	s.must(job, end(8))
	if err := <-w.met; err != nil {
		t.Fatal(err)
	}
	if w.after >= w.inserts {
		t.Errorf("the wait was over after insert %d of %d", w.after, w.inserts)
	}
	s.matches(crowd().truth)
}
