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
// every step that was announced has ended (I1). It returns the world after the job. The
// runner's own boundaries are the same for all jobs: a short run takes those of one.
func killedEverywhere(t *testing.T, before *world, job string, failpoints []string, state func(*world) string) (after *world) {
	t.Helper()
	after = before.copy(t)
	after.must(jobCommand(job)...)
	want := state(after)
	t.Run(job, func(t *testing.T) {
		for _, failpoint := range failpoints {
			t.Run(failpoint, func(t *testing.T) {
				of, place, _ := strings.Cut(failpoint, ".")
				if os.Getenv("LAPSE_SOAK") == "" && slices.Contains(runnersOwn, place) && of != "ingest" {
					t.Skip("the runner's own boundaries are the same for all jobs; a long run (LAPSE_SOAK) takes them for each")
				}
				t.Parallel()
				w := before.copy(t)
				w.killedAt(failpoint, job)
				w.must(jobCommand(job)...)
				if got := state(w); got != want {
					t.Errorf("after a kill and a repeat:\n%s\nundisturbed:\n%s", got, want)
				}
			})
		}
	})
	return after
}

// TestKilled kills each job of a record's way.
func TestKilled(t *testing.T) {
	before := newBusyDays(t)
	for _, job := range []string{"ingest", "anonymise", "purge"} {
		before = killedEverywhere(t, before, job, failpointsOf[job], (*world).state)
	}
}

// TestKilledWhileDisposing kills the disposal of input files that follows an ingest.
func TestKilledWhileDisposing(t *testing.T) {
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
