package jobs_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// holding holds the items of some keys, from a call on: a hold may come between the
// plan and the deletion.
type holding struct {
	ids  map[string]sinks.ID
	keys []string
	from int // the first call, from 0, that knows of the hold
	call int
}

func (h *holding) HeldItems(_ context.Context, _ time.Time, _ []sinks.ID) (map[sinks.ID]bool, error) {
	held := map[sinks.ID]bool{}
	if h.call++; h.call > h.from {
		for _, key := range h.keys {
			held[h.ids[key]] = true
		}
	}
	return held, nil
}

func TestHoldWinsAndTheNextRunTakesItUpAfterwards(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]int{"a hold of before the plan": 0, "a hold since the plan": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFolder(t)
			h := newHouse(t, map[string]sinks.Bucket{"training": f})
			sinktest.Fill(t, f, "a", "b", "b.crop")
			h.register(t, item("a", complete), item("b", complete, "b.crop"))
			ids := h.ids(t)
			h.purge.Holds = &holding{ids: ids, keys: []string{"b"}, from: from}
			report, outcomes, err := h.run(t)
			if late := from > 0; late != errors.Is(err, sinks.ErrConflict) || late == (len(report.Blocked) == 1) {
				t.Errorf("%v, %d wait", err, len(report.Blocked))
			}
			if o := outcomes[ids["a"]]; o.Result != sinks.ResultDone {
				t.Errorf("what is not held: %s", o.Result)
			}
			if listed := sinktest.Listed(t, f, ""); !slices.Equal(listed, []string{"b", "b.crop"}) {
				t.Errorf("left: %q", listed)
			}
			h.purge.Holds = nil // released
			if report, _, err := h.run(t); err != nil || report.Result != sinks.ResultDone {
				t.Errorf("after the release: %s, %v", report.Result, err)
			}
			if listed := sinktest.Listed(t, f, ""); len(listed) > 0 {
				t.Errorf("left after the release: %q", listed)
			}
		})
	}
}

// graceful sets how long items are hidden before they are deleted.
func (h *house) graceful(period string) { h.policy.Training.Grace = config.MustPeriod(period) }

// marked returns which items are hidden as of a time, by key.
func (h *house) marked(t testing.TB, now time.Time) map[string]time.Time {
	t.Helper()
	due, err := h.store.DueItems(t.Context(), now, sinks.TrainingCutoffs{sinks.RulePurposeCompleted: now}, sinks.ItemPage{})
	if err != nil {
		t.Fatal(err)
	}
	marked := map[string]time.Time{}
	for _, item := range due {
		if !item.MarkedAt.IsZero() {
			marked[item.Key] = item.MarkedAt
		}
	}
	return marked
}

func TestItemIsHiddenForTheGraceAndCanBeRestored(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.graceful("P7D")
	sinktest.Fill(t, f, "a", "b", "c")
	h.register(t, item("a", complete), item("b", complete), item("c", incomplete))
	ids := h.ids(t)
	run := func(now time.Time, steps int) {
		t.Helper()
		report, err := h.runner.Run(t.Context(), h.purge, now)
		if err != nil || report.Steps != steps {
			t.Errorf("%s: %d steps, want %d: %v", now, report.Steps, steps, err)
		}
	}
	run(asOf, 1) // hides
	if got, want := h.marked(t, asOf), (map[string]time.Time{"a": asOf, "b": asOf}); !maps.Equal(got, want) {
		t.Errorf("hidden: %v, want %v", got, want)
	}
	run(asOf.Add(time.Hour), 0)
	if listed := sinktest.Listed(t, f, ""); len(listed) != 3 {
		t.Errorf("within the grace there are %q", listed)
	}
	if err := h.store.RestoreItems(t.Context(), asOf.AddDate(0, 0, 2), []sinks.ID{ids["b"]}); err != nil {
		t.Fatal(err)
	}
	if got := h.marked(t, asOf.AddDate(0, 0, 2)); len(got) != 1 || got["a"].IsZero() {
		t.Errorf("hidden after the restoration: %v", got)
	}
	run(asOf.AddDate(0, 0, 7).Add(-time.Millisecond), 0)
	run(asOf.AddDate(0, 0, 7), 2) // deletes, forgets
	if listed := sinktest.Listed(t, f, ""); !slices.Equal(listed, []string{"b", "c"}) {
		t.Errorf("after the grace there are %q", listed)
	}
	run(asOf.AddDate(2, 0, 0), 0) // what was restored is not due again by itself

	// Complete once more, it is due once more, and has its grace again.
	again := asOf.AddDate(2, 0, 1)
	h.note(t, note{Type: "training_purpose_completed", At: again, Purpose: complete})
	run(again, 1)
	run(again.AddDate(0, 0, 6), 0)
	run(again.AddDate(0, 0, 7), 2)
	if listed := sinktest.Listed(t, f, ""); !slices.Equal(listed, []string{"c"}) {
		t.Errorf("in the end there are %q", listed)
	}
}

// What is due no longer is hidden no longer, and does not lose its grace by that if
// it becomes due again.
func TestMarkEndsWithItsReason(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.graceful("P7D")
	sinktest.Fill(t, f, "a")
	h.register(t, item("a", complete))
	report, err := h.runner.Run(t.Context(), h.purge, asOf)
	if err != nil || report.Steps != 1 {
		t.Fatalf("%d steps, %v", report.Steps, err)
	}
	day := func(n int) time.Time { return asOf.AddDate(0, 0, n) }
	h.note(t, note{Type: "training_purpose_opened", At: day(1), Purpose: complete})
	if got := h.marked(t, day(2)); len(got) > 0 {
		t.Errorf("hidden, though its purpose is open again: %v", got)
	}
	h.note(t, note{Type: "training_purpose_completed", At: day(30), Purpose: complete})
	if report, err = h.runner.Run(t.Context(), h.purge, day(30)); err != nil || report.Steps != 1 {
		t.Errorf("complete again: %d steps, %v; want it hidden and no more", report.Steps, err)
	}
	if got := h.marked(t, day(31)); !got["a"].Equal(day(30)) {
		t.Errorf("hidden as of %v", got)
	}
}
