package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestListingTellsWhatBecameOfEachItem follows three items: one is withdrawn, hidden
// and purged, one is due, one may be used.
func TestListingTellsWhatBecameOfEachItem(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, config.Facesoft)
	s, _ := sinktest.Store(t, p)
	register(t, s, p, []byte(`{"type":"training_item","at":"2024-01-01T00:00:00Z","bucket":"b","key":"a","organisation":"o1","purposes":["p","q"],"subjects":["u"],"consent":true,"age":30,"consent_reference":"r"}
{"type":"training_item","at":"2024-01-01T00:00:00Z","bucket":"b","key":"b","organisation":"o2","purposes":["p"],"consent":true,"derivatives":["b.crop"]}
{"type":"training_item","at":"2024-01-01T00:00:00Z","bucket":"b","key":"c","organisation":"o2","purposes":["q"],"consent":true}
{"type":"training_model","at":"2024-01-02T00:00:00Z","purpose":"p","model":"m"}
{"type":"training_consent","at":"2024-01-03T00:00:00Z","decision":"withdrawn","subject":"u"}
{"type":"training_purpose_completed","at":"2024-01-04T12:00:00Z","purpose":"p"}`))
	day := func(n int) time.Time { return newYear.AddDate(0, 0, n-1) }
	list := func(now time.Time, f sinks.TrainingFilter) (shown []string, ids map[string]sinks.ID) {
		t.Helper()
		ids = map[string]sinks.ID{}
		err := s.EachItem(t.Context(), now, cutoffs(now), f, func(e sinks.TrainingEntry) error {
			ids[e.Key] = e.Item
			shown = append(shown, strings.Trim(fmt.Sprint(e.Key, " ", e.State, " ", e.Rule, " ", e.Open), " "))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return shown, ids
	}
	expect := func(now time.Time, f sinks.TrainingFilter, want ...string) {
		t.Helper()
		if shown, _ := list(now, f); !slices.Equal(shown, want) {
			t.Errorf("%s, %+v: %q, want %q", now, f, shown, want)
		}
	}
	expect(day(2), sinks.TrainingFilter{}, "a active  [p q]", "b active  [p]", "c active  [q]")
	if marked, err := s.MarkDueItems(t.Context(), day(4), cutoffs(day(4)), sinks.RulePurposeCompleted); err != nil || marked != 0 {
		t.Errorf("%d items were marked by another rule: %v", marked, err)
	}
	if marked, err := s.MarkDueItems(t.Context(), day(4), cutoffs(day(4)), ""); err != nil || marked != 1 {
		t.Errorf("%d items were marked: %v", marked, err)
	}
	for range 2 { // again has no effect
		if marked, err := s.MarkDueItems(t.Context(), day(4), cutoffs(day(4)), ""); err != nil || marked != 0 {
			t.Errorf("%d items were marked again: %v", marked, err)
		}
	}
	expect(day(5), sinks.TrainingFilter{}, "a marked consent_withdrawn [q]", "b due purpose_completed []", "c active  [q]")
	expect(day(5), sinks.TrainingFilter{State: sinks.TrainingActive}, "c active  [q]")
	expect(day(5), sinks.TrainingFilter{Organisation: "o2"}, "b due purpose_completed []", "c active  [q]")
	expect(day(5), sinks.TrainingFilter{Purpose: "q"}, "a marked consent_withdrawn [q]", "c active  [q]")
	_, ids := list(day(5), sinks.TrainingFilter{})
	expect(day(5), sinks.TrainingFilter{Item: ids["c"]}, "c active  [q]")

	notes, err := s.Notes(t.Context(), ids["a"], day(5))
	if err != nil {
		t.Fatal(err)
	}
	var history []string
	for _, n := range notes {
		history = append(history, strings.TrimSpace(fmt.Sprint(n.At.Day(), " ", n.What, " ", n.About, " ", n.Purpose, " ", n.Model)))
	}
	if want := []string{"1 registered item", "2 model purpose p m", "3 consent withdrawn subject", "4 marked item", "4 purpose_completed purpose p"}; !slices.Equal(history, want) {
		t.Errorf("history: %q, want %q", history, want)
	}

	if err := s.PutTombstones(t.Context(), []sinks.Tombstone{{Item: ids["a"], Rule: sinks.RuleConsentWithdrawn, Bytes: 7, Objects: 1, UploadedAt: day(1), PurgedAt: day(6), Models: []string{"m"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	expect(day(7), sinks.TrainingFilter{}, "b due purpose_completed []", "c active  [q]", "purged consent_withdrawn []")
	expect(day(7), sinks.TrainingFilter{State: sinks.TrainingPurged}, "purged consent_withdrawn []")
	expect(day(7), sinks.TrainingFilter{Item: ids["a"]}, "purged consent_withdrawn []")

	if _, err := s.MarkDueItems(t.Context(), day(8), cutoffs(day(8)), ""); err != nil {
		t.Fatal(err)
	}
	withdrawn := func(since, now time.Time) (all []sinks.Withdrawal) {
		t.Helper()
		if err := s.EachWithdrawn(t.Context(), since, now, cutoffs(now), func(w sinks.Withdrawal) error { all = append(all, w); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	a := sinks.Withdrawal{Item: ids["a"], At: day(6), Rule: sinks.RuleConsentWithdrawn, Gone: true}
	b := sinks.Withdrawal{Item: ids["b"], At: day(8), Rule: sinks.RulePurposeCompleted}
	if got := withdrawn(time.Time{}, day(9)); !slices.Equal(got, []sinks.Withdrawal{a, b}) {
		t.Errorf("withdrawn: %+v", got)
	}
	if got := withdrawn(day(7), day(9)); !slices.Equal(got, []sinks.Withdrawal{b}) {
		t.Errorf("withdrawn since the 7th: %+v", got)
	}
	if err := s.RestoreItems(t.Context(), day(9), []sinks.ID{ids["b"]}); err != nil {
		t.Fatal(err)
	}
	if got := withdrawn(day(7), day(9)); len(got) > 0 {
		t.Errorf("withdrawn after the restoration: %+v", got)
	}
	expect(day(9), sinks.TrainingFilter{Organisation: "o2"}, "b active  []", "c active  [q]")
}
