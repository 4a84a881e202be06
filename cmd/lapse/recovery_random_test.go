package main

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// TestKilledAtRandomMoments kills each job, as kill -9 does, at moments that are no
// boundary of anything, and runs it again: the state is the same as if nothing had
// happened (I7). A long run (LAPSE_SOAK) kills each fifty times, and the anonymisation of
// a month two hundred times.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	kills := map[string]int{"ingest": 2, "anonymise": 2, "purge": 2}
	if os.Getenv("LAPSE_SOAK") != "" {
		kills = map[string]int{"ingest": 50, "anonymise": 200, "purge": 50}
	}
	random := rand.New(rand.NewPCG(20180525, uint64(time.Now().UnixNano())))
	before := newBusyDays(t)
	for _, job := range []string{"ingest", "anonymise", "purge"} {
		after := before.copy(t)
		start := time.Now()
		after.must(jobCommand(job)...)
		whole := time.Since(start)
		want := after.state()
		t.Run(job, func(t *testing.T) {
			for range kills[job] {
				w := before.copy(t)
				w.t = t
				moment := time.Duration(random.Int64N(int64(whole)))
				w.killedAfter(moment, job)
				w.must(jobCommand(job)...)
				if got := w.state(); got != want {
					t.Errorf("killed after %s of %s, and repeated:\n%s\nundisturbed:\n%s", moment, whole, got, want)
				}
			}
		})
		before = after
	}
}

// killedAfter runs a job and kills it after a while, if it has not ended before.
func (w *world) killedAfter(moment time.Duration, job string) {
	w.t.Helper()
	c := w.command(jobCommand(job)...)
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(moment)
	_ = c.Process.Kill() // it may have ended
	_ = c.Wait()
}
