//go:build failpoints

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// failpointsOf are the boundaries between the steps of each job at which a process
// may die. They stand in the order in which a job reaches them.
var failpointsOf = map[string][]string{
	"ingest": {
		"ingest.announced", "ingest.planned", "ingest.intent", "ingest.pending", "ingest.chunk", "ingest.insert",
		"ingest.stored", "ingest.recorded", "ingest.executed", "ingest.outcome", "ingest.ended",
	},
	"anonymise": {
		"anonymise.announced", "anonymise.planned", "anonymise.intent", "anonymise.sealed", "anonymise.staged",
		"anonymise.published", "anonymise.verified", "anonymise.recorded", "anonymise.dropped", "anonymise.executed",
		"anonymise.outcome", "anonymise.ended",
	},
	"purge": {
		"purge.announced", "purge.planned", "purge.intent", "purge.sealed", "purge.dropped", "purge.erased",
		"purge.deleted", "purge.verified", "purge.buried", "purge.forgotten", "purge.executed", "purge.outcome", "purge.ended",
	},
}

// runnersOwn are the boundaries that the runner has in every job.
var runnersOwn = []string{"announced", "planned", "executed", "outcome", "ended"}

// killedEverywhere runs a job, and then kills it at each of its boundaries, as kill -9
// does, and runs it again: the state is the same as if nothing had happened (I7), and
// every step that was announced has ended (I1). It returns the world after the job.
//
// A long run (LAPSE_SOAK) has a world for each boundary. A short one kills the job in the
// same world at one boundary after the other, so that each run takes up what those before
// it have left; it has another world where they have come too far to meet a boundary
// again. The runner's own boundaries are the same for all jobs: it takes those of one.
// The engine dies with the job, as in a power cut, in a long run and where the job is one
// of a record's way or an erasure; it lives on in short runs of the others.
func killedEverywhere(t *testing.T, before *world, job string, failpoints []string, state func(*world) string) (after *world) {
	t.Helper()
	after = before.copy(t)
	after.must(jobCommand(job)...)
	want := state(after)
	ends := func(t *testing.T, w *world) {
		t.Helper()
		w.must(jobCommand(job)...)
		if got := state(w); got != want {
			t.Errorf("after kills and a repeat:\n%s\nundisturbed:\n%s", got, want)
		}
	}
	t.Run(job, func(t *testing.T) {
		if os.Getenv("LAPSE_SOAK") == "" {
			fresh := func() *world {
				w := before.copy(t)
				if failpointsOf[job] == nil && job != "subject" {
					w.keepEngine()
				}
				return w
			}
			w := fresh()
			for _, failpoint := range failpoints {
				if of, place, _ := strings.Cut(failpoint, "."); of != "ingest" && slices.Contains(runnersOwn, place) {
					continue
				}
				if !w.diesAt(failpoint, job) {
					ends(t, w)
					w = fresh()
					w.killedAt(failpoint, job)
				}
			}
			ends(t, w)
			return
		}
		for _, failpoint := range failpoints {
			t.Run(failpoint, func(t *testing.T) {
				t.Parallel()
				w := before.copy(t)
				w.killedAt(failpoint, job)
				ends(t, w)
			})
		}
	})
	return after
}

// TestKilled kills each job of a record's way.
func TestKilled(t *testing.T) {
	t.Parallel()
	before := newBusyDays(t)
	for _, job := range []string{"ingest", "anonymise", "purge"} {
		before = killedEverywhere(t, before, job, failpointsOf[job], (*world).state)
	}
}

// TestKilledWhileDisposing kills the disposal of input files that follows an ingest.
func TestKilledWhileDisposing(t *testing.T) {
	t.Parallel()
	before := newWorld(t)
	before.appendPolicy("\ninput_files: {after: delete, clause: C12, rationale: all of it is accounted for}\n")
	after := killedEverywhere(t, before, "ingest", []string{
		"dispose.announced", "dispose.planned", "dispose.intent", "dispose.removed", "dispose.executed", "dispose.outcome", "dispose.ended",
	}, func(w *world) string { return w.state() + w.inputs() })
	if after.inputs() != "" {
		t.Errorf("left after an ingest:\n%s", after.inputs())
	}
}

// TestKilledWhileReconciling kills a reconciliation that deletes an object nobody has
// registered, and notes another one.
func TestKilledWhileReconciling(t *testing.T) {
	t.Parallel()
	before := newWorld(t)
	before.must(jobCommand("ingest")...)
	policy := filepath.Join(before.dir, "policy.yaml")
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policy, bytes.Replace(text, []byte("max_share: 0.01"), []byte("max_share: 0.5"), 1))
	stray := func(name string) {
		t.Helper()
		write(filepath.Join(before.settings().Buckets[0].Path, name), []byte(name))
	}
	stray("seen-before")
	before.must("run", "reconcile", "--as-of", received)
	stray("never-seen")
	after := killedEverywhere(t, before, "reconcile", []string{
		"reconcile.announced", "reconcile.planned", "reconcile.intent", "reconcile.noted", "purge.deleted", "reconcile.verified",
		"reconcile.executed", "reconcile.outcome", "reconcile.ended",
	}, (*world).state)
	if state := after.state(); strings.Contains(state, "seen-before") || !strings.Contains(state, "never-seen") {
		t.Errorf("undisturbed:\n%s", state)
	}
}

// TestTwoAtOnce runs two processes of each job at once: the state is that of one.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	alone := newBusyDays(t)
	together := alone.copy(t)
	for _, job := range []string{"ingest", "anonymise", "purge"} {
		alone.must(jobCommand(job)...)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if out, err := together.command(jobCommand(job)...).CombinedOutput(); err != nil {
					t.Errorf("lapse run %s: %v\n%s", job, err, out)
				}
			})
		}
		both.Wait()
		if got, want := together.state(), alone.state(); got != want {
			t.Errorf("two at once:\n%s\none:\n%s", got, want)
		}
	}
}
