package jobs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// More items than are planned at once end as they all would at once: what waits is met
// in each portion and is in nobody's way, and a plan that was approved has them all.
func TestPurgeInPortions(t *testing.T) {
	t.Parallel()
	const each = 25
	for _, approved := range []bool{false, true} {
		t.Run(fmt.Sprintf("approved %t", approved), func(t *testing.T) {
			t.Parallel()
			f := openFolder(t)
			h := newHouse(t, map[string]sinks.Bucket{"training": f})
			h.purge.Together = 7
			var items []note
			var keys []string
			for i := range each {
				due, later, elsewhere := item(fmt.Sprintf("%02d/due", i), complete), item(fmt.Sprintf("%02d/later", i), incomplete), item(fmt.Sprintf("%02d/due", i), complete)
				elsewhere.Bucket = "unknown"
				items = append(items, due, later, elsewhere)
				keys = append(keys, due.Key, later.Key)
			}
			sinktest.Fill(t, f, keys...)
			h.register(t, items...)
			steps, err := h.purge.Plan(t.Context(), asOf)
			if err != nil {
				t.Fatal(err)
			}
			if n := countAction(steps, sinks.ActionPurgeItem); n != 2*each {
				t.Errorf("%d items are planned, want %d", n, 2*each)
			}
			if approved {
				if h.runner.Approved, err = jobs.NewPlan(h.policy, asOf, steps); err != nil {
					t.Fatal(err)
				}
			}
			h.runner.Observe = func(e jobs.Event) {
				if e.Planned > 7+2 { // and one that hides, one that forgets
					t.Errorf("%d steps were planned at once", e.Planned)
				}
			}
			report, err := h.runner.Run(t.Context(), h.purge, asOf)
			if err != nil || report.Waiting != each || len(report.Blocked) != each {
				t.Fatalf("%d steps wait, want %d: %v", report.Waiting, each, err)
			}
			done := slices.IndexFunc(report.Sums, func(s jobs.Sum) bool { return s.Action == sinks.ActionPurgeItem })
			if done < 0 || report.Sums[done].Steps != each || report.Sums[done].Counts[sinks.CountObjects] != each {
				t.Errorf("done: %+v", report.Sums)
			}
			if listed := sinktest.Listed(t, f, ""); len(listed) != each {
				t.Errorf("left: %q", listed)
			}
			if due, err := h.store.DueItems(t.Context(), asOf, sinks.TrainingCutoffs{sinks.RulePurposeCompleted: asOf}, sinks.ItemPage{}); err != nil || len(due) != each {
				t.Errorf("%d items are due afterwards, want %d: %v", len(due), each, err)
			}
		})
	}
}

func countAction(steps []jobs.Step, a sinks.Action) (n int) {
	for _, s := range steps {
		if s.Action == a {
			n++
		}
	}
	return n
}
