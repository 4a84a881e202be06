package sinktest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// briefly is how long a lease lasts after Brief.
const briefly = 2 * time.Second

// Brief makes a lease run out soon, so that tests need not wait for long.
func Brief(l *sinks.RenewedLease) {
	l.Duration, l.Renew, l.Wait, l.Request = briefly, 200*time.Millisecond, 20*time.Millisecond, briefly
}

// TestLease holds leases to the contract of sinks.Lease. open returns what gives one
// process after the other its leases, after Brief where they run out.
func TestLease(t *testing.T, open func(t *testing.T) (process func() sinks.Lease)) {
	for name, test := range map[string]func(*testing.T, func() sinks.Lease){
		"OneProcessHoldsItAtATime":       testOneHolder,
		"WhoDoesNotWaitIsRefusedAtOnce":  testHeld,
		"ItIsKeptForAsLongAsItIsHeld":    testKept,
		"WhoWaitsGetsItWhenItIsReleased": testAwaited,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testOneHolder(t *testing.T, process func() sinks.Lease) {
	var inside, turns atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		l := process()
		all.Go(func() {
			for range 5 {
				held, release, err := l.Hold(t.Context(), "purge", true)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 || held.Err() != nil {
					t.Errorf("%d hold it: %v", n, held.Err())
				}
				turns.Add(1)
				inside.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	if turns.Load() != 20 {
		t.Errorf("%d of 20 had their turn", turns.Load())
	}
}

func testHeld(t *testing.T, process func() sinks.Lease) {
	_, release, err := process().Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	other := process()
	if _, _, err := other.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("%v", err)
	}
	_, another, err := other.Hold(t.Context(), "ingest", false)
	if err != nil {
		t.Fatal(err)
	}
	another()
	waiting, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := other.Hold(waiting, "purge", true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func testKept(t *testing.T, process func() sinks.Lease) {
	held, release, err := process().Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	select { // longer than it lasts without being renewed
	case <-held.Done():
		t.Error(context.Cause(held))
	case <-time.After(briefly + 2*time.Second + 500*time.Millisecond): // the clocks' slack included
	}
	if _, _, err := process().Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("it was not renewed: %v", err)
	}
}

func testAwaited(t *testing.T, process func() sinks.Lease) {
	_, release, err := process().Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, release, err := process().Hold(t.Context(), "purge", true)
		if err == nil {
			release()
		}
		got <- err
	}()
	release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
