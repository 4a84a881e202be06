package jobs

import (
	"fmt"
	"sync"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Schedule is when one job runs. It reads no clock: all times are passed in.
type Schedule struct{ config.JobSchedule }

// Kind is the scheduled job.
func (s Schedule) Kind() sinks.JobKind { return sinks.JobKind(s.Job) }

// Next returns the first scheduled time after t, UTC; zero if there is none within
// five years.
func (s Schedule) Next(t time.Time) time.Time { return s.Spec.Next(t, s.TimeZone.Location()) }

// Latest returns the last scheduled time at or before now; zero if there was none
// within ten years.
func (s Schedule) Latest(now time.Time) (latest time.Time) {
	const longest = 10 * 366 * 24 * time.Hour
	for back := time.Minute; back <= longest; back *= 2 {
		next := s.Next(now.Add(-back))
		for ; !next.IsZero() && !next.After(now); next = s.Next(next) {
			latest = next
		}
		if !latest.IsZero() {
			return latest
		}
	}
	return latest
}

// Missed returns the last scheduled time that a run was due for and that none was
// for, where last is the scheduled time of the last run. It is one time, however many
// have passed: a run does all that is due. Where no run is known of, none was missed.
func (s Schedule) Missed(last, now time.Time) (at time.Time, missed bool) {
	if last.IsZero() {
		return time.Time{}, false
	}
	at = s.Latest(now)
	return at, at.After(last)
}

// Turns keeps the runs of one scheduled job apart, within this process, and follows
// its overlap rule. Other processes are kept out by the runner.
type Turns struct {
	Overlap config.Overlap

	mu     sync.Mutex
	runs   bool
	queued time.Time
}

// Take calls run for the scheduled time at, unless a call is going on: then the time
// is left out, or run is called once more afterwards, by whoever runs now. A panic in
// run is returned as an error; the next turn is not affected by it.
func (t *Turns) Take(at time.Time, run func(at time.Time) error) (taken bool, err error) {
	t.mu.Lock()
	if t.runs {
		if t.Overlap == config.OverlapQueue {
			t.queued = at
		}
		t.mu.Unlock()
		return false, nil
	}
	t.runs = true
	t.mu.Unlock()
	for {
		err = contained(at, run)
		t.mu.Lock()
		at, t.queued = t.queued, time.Time{}
		t.runs = !at.IsZero()
		again := t.runs
		t.mu.Unlock()
		if !again {
			return true, err
		}
	}
}

// contained turns a panic into an error, without its text, which may quote a record.
func contained(at time.Time, run func(time.Time) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a run ended in a panic of type %T", p)
		}
	}()
	return run(at)
}
