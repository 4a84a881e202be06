package jobs_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// waitingIntake has somebody wait for what was admitted, from the first time on that the
// store is asked whether it has a group's records: another has not been decoded by then.
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
	return w.Intake.Insert(ctx, b, token)
}

func (w *waitingIntake) Records(ctx context.Context, dataset string, first, last sinks.Day, each func([]sinks.ID)) error {
	w.once.Do(func() { w.wait(ctx) })
	return w.Intake.Records(ctx, dataset, first, last, each)
}

// wait returns when who waits holds up the next group.
func (w *waitingIntake) wait(ctx context.Context) {
	go func() {
		err := jobs.AwaitAdmitted(ctx, w.locks)
		w.mu.Lock()
		w.after = w.inserts
		w.mu.Unlock()
		w.met <- err
	}()
	for {
		soon, cancel := context.WithTimeout(ctx, time.Millisecond)
		leave, err := w.locks.RLock(soon, jobs.TurnstileLock)
		cancel()
		if err != nil {
			return
		}
		leave()
	}
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
