package jobs_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestWithdrawalTakesAPersonsImagesOfAllOrganisationsAndNoOthers has a person in three
// images of two organisations, beside others: exactly those and their derivatives go.
func TestWithdrawalTakesAPersonsImagesOfAllOrganisationsAndNoOthers(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	shows := func(organisation, key string, derivatives []string, people ...string) note {
		n := item(organisation+"/"+key, incomplete, derivatives...)
		n.Organisation, n.Subjects = organisation, people
		return n
	}
	items := []note{
		shows("o1", "alone", []string{"crops/alone", "embeddings/alone"}, "u-1"),
		shows("o1", "among-others", []string{"crops/among-others"}, "u-2", "u-1", "u-3"),
		shows("o1", "other", []string{"crops/other"}, "u-2"),
		shows("o2", "elsewhere", []string{"crops/elsewhere"}, "u-1"),
		shows("o2", "alike", []string{"crops/alike"}, "u-11"),
		shows("o2", "nobody", nil),
	}
	for _, i := range items {
		sinktest.Fill(t, b, append([]string{i.Key, i.Key}, i.Derivatives...)...) // two versions of the image
	}
	h.register(t, items...)
	want := contents(t, g, name)
	for _, i := range []int{0, 1, 3} {
		for _, key := range append(items[i].Derivatives, items[i].Key) {
			delete(want, key)
		}
	}
	h.note(t, note{Type: "training_consent", At: completed, Subject: "u-1", Decision: "withdrawn"})
	_, outcomes, err := h.run(t)
	if err != nil || len(outcomes) != 3 {
		t.Errorf("%d items were purged, %v; want 3", len(outcomes), err)
	}
	for _, o := range outcomes {
		if o.Step.Rule != sinks.RuleConsentWithdrawn || o.Result != sinks.ResultDone {
			t.Errorf("%s by %s", o.Result, o.Step.Rule)
		}
	}
	if held := contents(t, g, name); !maps.Equal(held, want) {
		t.Errorf("the bucket holds %v, want %v", held, want)
	}
}

// TestRenamedAndReuploadedObjectsEndAsThePolicySays renames objects and uploads them
// again, with a registration of their own and without.
func TestRenamedAndReuploadedObjectsEndAsThePolicySays(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	h.strayRule(1)
	// The register knows the old names; the bucket holds the new ones, and one is registered.
	sinktest.Fill(t, b, "new-name", "new-name-registered", "uploaded-again", "uploaded-again-registered")
	h.register(t, item("old-name", complete), item("old-name-too", complete), item("new-name-registered", incomplete),
		item("uploaded-again", complete), item("uploaded-again-registered", complete))
	again := item("uploaded-again-registered", incomplete)
	again.At = completed.AddDate(0, 0, 1)
	sinktest.Fill(t, b, "uploaded-again-registered")
	h.note(t, again)
	ids := h.ids(t)
	if _, outcomes, err := h.run(t); err != nil || len(outcomes) != 3 {
		t.Errorf("%d items were purged, %v; want 3", len(outcomes), err)
	}
	if buried := h.buried(t, ids); !slices.Equal(buried, []string{"old-name", "old-name-too", "uploaded-again"}) {
		t.Errorf("tombstones of %q", buried)
	}
	want := map[string]int{"new-name": 1, "new-name-registered": 1, "uploaded-again-registered": 2}
	if held := contents(t, g, name); !maps.Equal(held, want) {
		t.Errorf("after the purge the bucket holds %v, want %v", held, want)
	}
	// What nobody has registered goes by the rule for strays, after its time.
	sinktest.Fill(t, b, "uploaded-again")
	if _, found := h.reconcile(t, asOf, false); !slices.Equal(found, []string{"unregistered new-name", "unregistered uploaded-again"}) {
		t.Errorf("found %q", found)
	}
	h.reconcile(t, asOf.AddDate(0, 0, 7), false)
	delete(want, "new-name")
	if held := contents(t, g, name); !maps.Equal(held, want) {
		t.Errorf("in the end the bucket holds %v, want %v", held, want)
	}
}

// TestWhatWasMadeFromAnObjectGoesWhicheverNoteNamesIt has derivatives that the first
// registration of an object names, a later one, and an addition; and a purpose that
// was added.
func TestWhatWasMadeFromAnObjectGoesWhicheverNoteNamesIt(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	sinktest.Fill(t, f, "a", "a.first", "a.again", "a.added", "needed", "needed.added", "other")
	again := item("a", complete, "a.again")
	again.At = uploaded.Add(time.Hour)
	addition := func(key, purpose string, derivatives ...string) note {
		n := item(key, purpose, derivatives...)
		n.Type, n.At, n.Consent, n.Bytes = "training_addition", uploaded.Add(2*time.Hour), false, 0
		return n
	}
	h.register(t, item("a", complete, "a.first"), again, addition("a", complete, "a.added"),
		item("needed", complete), addition("needed", incomplete, "needed.added"), addition("unknown", complete, "other"))
	_, found := h.reconcile(t, asOf, false)
	if want := []string{"unregistered other"}; !slices.Equal(found, want) {
		t.Errorf("reconciliation found %q, want %q", found, want)
	}
	_, outcomes, err := h.run(t)
	if err != nil || len(outcomes) != 1 {
		t.Fatalf("%d items were purged: %v", len(outcomes), err)
	}
	for _, o := range outcomes {
		if o.Counts[sinks.CountDerivatives] != 3 {
			t.Errorf("%v; want 3 derivatives", o.Counts)
		}
	}
	if left := sinktest.Listed(t, f, ""); !slices.Equal(left, []string{"needed", "needed.added", "other"}) {
		t.Errorf("left: %q", left)
	}
	h.note(t, note{Type: "training_purpose_completed", At: completed.Add(time.Hour), Purpose: incomplete})
	if _, outcomes, err = h.run(t); err != nil || len(outcomes) != 1 {
		t.Errorf("after the added purpose is complete, %d items were purged: %v", len(outcomes), err)
	}
	if left := sinktest.Listed(t, f, ""); !slices.Equal(left, []string{"other"}) {
		t.Errorf("left in the end: %q", left)
	}
}

// TestErasedPersonOfAnEarlierRegistrationIsErasedFromTheObject has an object registered
// anew, with somebody else in it, in a bucket that keeps what was there before.
func TestErasedPersonOfAnEarlierRegistrationIsErasedFromTheObject(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	sinktest.Fill(t, b, "again", "again", "once")
	first, second, once := item("again", incomplete), item("again", incomplete), item("once", incomplete)
	first.Subjects, second.Subjects, once.Subjects = []string{"ann"}, []string{"bob"}, []string{"bob"}
	second.At = uploaded.Add(time.Hour)
	h.register(t, first, second, once)
	ann := []sinks.Person{{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user_id", Text: "ann"}}}}
	for range 2 { // again has no effect
		if err := h.store.EraseFromTraining(t.Context(), ann, completed); err != nil {
			t.Fatal(err)
		}
	}
	_, outcomes, err := h.run(t)
	if err != nil || len(outcomes) != 1 {
		t.Errorf("%d items were purged: %v", len(outcomes), err)
	}
	if left := contents(t, g, name); !maps.Equal(left, map[string]int{"once": 1}) {
		t.Errorf("left are %v", left)
	}
}
