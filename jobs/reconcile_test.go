package jobs_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// reconcile runs a reconciliation and returns what was found: "what key".
func (h *house) reconcile(t testing.TB, now time.Time, contents bool) (*jobs.Report, []string) {
	t.Helper()
	job := &jobs.Reconcile{Policy: h.policy, Inventory: h.store, Buckets: h.purge.Buckets, Holds: h.store, Contents: contents}
	report, err := h.runner.Run(t.Context(), job, now)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, f := range job.Findings() {
		found = append(found, f.What+" "+f.Key)
	}
	slices.Sort(found)
	return report, found
}

// strayRule lets strays go after a week, up to half of a bucket.
func (h *house) strayRule(share float64) {
	h.policy.Training.Strays = &config.StrayRule{Buckets: []string{"training"}, Keep: config.MustPeriod("P7D"), MaxShare: share, Clause: "C5", Rationale: "a test"}
}

// TestReconciliationFindsWhatDiffersAndDeletesOnlyWhatNobodyRegistered holds a bucket of
// a real server against the register: renamed, re-uploaded, missing and unregistered
// objects, and derivatives that were left behind.
func TestReconciliationFindsWhatDiffersAndDeletesOnlyWhatNobodyRegistered(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	h.strayRule(0.5)
	sinktest.Fill(t, b, "fine", "fine.crop", "larger", "renamed-to", "rewritten", "orphan.crop", "stray", "stray", "a/stray", "later", "hidden")
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte("something else")))
	items := []note{
		item("fine", incomplete, "fine.crop", "fine.never-made"), item("larger", incomplete), item("renamed-from", incomplete),
		item("gone", incomplete, "orphan.crop"), item("rewritten", incomplete),
	}
	items[1].Bytes, items[4].SHA256 = 1, digest
	h.register(t, items...)
	day := func(n int) time.Time { return asOf.AddDate(0, 0, n) }

	hide(t, g, name, "hidden") // an earlier version and a marker
	begin(t, g, name, "uploading")
	begin(t, g, name, "fine") // of a registered object: not ours to end

	strays := []string{"unregistered a/stray", "unregistered later", "unregistered renamed-to", "unregistered stray", "unregistered, hidden hidden", "unregistered, hidden uploading"}
	rest := []string{"missing gone", "missing renamed-from", "other size larger", "without its item orphan.crop"}
	want := slices.Sorted(slices.Values(append(rest, strays...)))
	report, found := h.reconcile(t, day(0), false)
	if !slices.Equal(found, want) || report.Steps != 1 {
		t.Errorf("%d steps, found %q, want %q", report.Steps, found, want)
	}
	counts := map[sinks.Count]uint64{sinks.CountRead: 11, sinks.CountStrays: 6, sinks.CountMissing: 2, sinks.CountDiffering: 1, sinks.CountOrphans: 1}
	if got := report.Outcomes[0].Counts; !maps.Equal(got, counts) {
		t.Errorf("counted %v, want %v", got, counts)
	}
	if _, found = h.reconcile(t, day(6), true); !slices.Contains(found, "other content rewritten") {
		t.Errorf("with contents, found %q", found)
	}
	if held := contents(t, g, name); len(held) != 11 {
		t.Errorf("within the time there are %v", held)
	}

	// One is registered after all, one is uploaded anew: neither goes.
	late := item("later", incomplete)
	late.At = day(6)
	h.note(t, late)
	if err := b.Put(t.Context(), "a/stray", strings.NewReader("of another size: the server tells times to the second")); err != nil {
		t.Fatal(err)
	}
	if report, _ = h.reconcile(t, day(7), false); report.Steps != 5 || report.Result != sinks.ResultDone {
		t.Errorf("%s after %d steps, want the comparison and four strays", report.Result, report.Steps)
	}
	held := contents(t, g, name)
	if left := slices.Sorted(maps.Keys(held)); !slices.Equal(left, []string{"a/stray", "fine", "fine.crop", "larger", "later", "orphan.crop", "rewritten"}) {
		t.Errorf("left are %q", left)
	}
	if report, _ = h.reconcile(t, day(8), false); report.Steps != 1 {
		t.Errorf("the next run had %d steps", report.Steps)
	}
}

func TestReconciliationStopsWhereTheRegisterMustBeIncomplete(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.strayRule(0.2)
	sinktest.Fill(t, f, "a", "b", "c", "d", "e")
	h.register(t, item("a", incomplete), item("b", incomplete))
	h.reconcile(t, asOf, false)
	report, _ := h.reconcile(t, asOf.AddDate(1, 0, 0), false)
	if len(report.Blocked) != 3 || !strings.Contains(report.Blocked[0].Blocked, "3 of 5 objects would go, more than the max_share of 0.2") {
		t.Errorf("%d steps wait: %+v", len(report.Blocked), report.Blocked)
	}
	h.policy.Training.Strays = nil // only told
	if report, found := h.reconcile(t, asOf.AddDate(1, 0, 0), false); report.Steps != 1 || len(report.Blocked) > 0 || len(found) != 3 {
		t.Errorf("without a rule: %d steps, %d wait, found %q", report.Steps, len(report.Blocked), found)
	}
	if listed := sinktest.Listed(t, f, ""); len(listed) != 5 {
		t.Errorf("left are %q", listed)
	}
}

func TestReconciliationDeletesNothingThatMayBeUnderHold(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.strayRule(1)
	sinktest.Fill(t, f, "stray")
	h.reconcile(t, asOf, false)
	later := asOf.AddDate(0, 1, 0)
	hold := sinks.Hold{ID: sinks.NewID(), BySubject: true, Reason: "a claim", PlacedBy: "dpo", PlacedAt: asOf}
	ended := sinks.Hold{ID: sinks.NewID(), To: uploaded, Reason: "of another time", PlacedBy: "dpo", PlacedAt: asOf}
	elsewhere := sinks.Hold{ID: sinks.NewID(), Dataset: "events", Reason: "of other data", PlacedBy: "dpo", PlacedAt: asOf}
	for _, h2 := range []sinks.Hold{hold, ended, elsewhere} {
		subject := ""
		if h2.BySubject {
			subject = "u-1"
		}
		if err := h.store.PlaceHold(t.Context(), h2, subject, ""); err != nil {
			t.Fatal(err)
		}
	}
	report, _ := h.reconcile(t, later, false)
	if len(report.Blocked) != 1 || report.Blocked[0].Blocked != "it is under legal hold" {
		t.Errorf("waiting: %+v", report.Blocked)
	}
	if err := h.store.ReleaseHold(t.Context(), hold.ID, "dpo", later); err != nil {
		t.Fatal(err)
	}
	if report, _ = h.reconcile(t, later, false); report.Result != sinks.ResultDone || len(sinktest.Listed(t, f, "")) > 0 {
		t.Errorf("after the release: %s, left %q", report.Result, sinktest.Listed(t, f, ""))
	}
}

// TestReconciliationLooksAgainBeforeItDeletes changes everything between the plan and the
// deletion: one object is registered, one replaced, one put under hold with all others.
func TestReconciliationLooksAgainBeforeItDeletes(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.strayRule(1)
	sinktest.Fill(t, f, "registered", "replaced", "stray")
	h.reconcile(t, asOf, false)
	later := asOf.AddDate(0, 1, 0)
	job := &jobs.Reconcile{Policy: h.policy, Inventory: h.store, Buckets: h.purge.Buckets, Holds: h.store}
	steps, err := job.Plan(t.Context(), later)
	if err != nil || len(steps) != 4 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	h.register(t, item("registered", incomplete))
	if err := f.Put(t.Context(), "replaced", strings.NewReader("another one")); err != nil {
		t.Fatal(err)
	}
	hold := sinks.Hold{ID: sinks.NewID(), Reason: "a claim", PlacedBy: "dpo", PlacedAt: asOf}
	if err := h.store.PlaceHold(t.Context(), hold, "", ""); err != nil {
		t.Fatal(err)
	}
	want := func(held sinks.Result) {
		t.Helper()
		got := map[sinks.Result]int{}
		for _, o := range job.Execute(t.Context(), jobs.Session{Run: sinks.NewID(), AsOf: later}, steps[1:]) {
			got[o.Result]++
		}
		if !maps.Equal(got, map[sinks.Result]int{sinks.ResultAbandoned: 2, held: 1}) {
			t.Errorf("ended as %v, want two abandoned and one %s", got, held)
		}
	}
	want(sinks.ResultFailed)
	if err := h.store.ReleaseHold(t.Context(), hold.ID, "dpo", later); err != nil {
		t.Fatal(err)
	}
	want(sinks.ResultDone)
	if listed := sinktest.Listed(t, f, ""); !slices.Equal(listed, []string{"registered", "replaced"}) {
		t.Errorf("left are %q", listed)
	}
}

// TestReconciliationLeavesOtherBucketsAlone has a bucket with files that are no training
// items, one that the register names and the policy does not, and one that is nowhere.
func TestReconciliationLeavesOtherBucketsAlone(t *testing.T) {
	t.Parallel()
	buckets := map[string]*bucket.Folder{"training": openFolder(t), "inputs": openFolder(t), "mixed": openFolder(t)}
	h := newHouse(t, map[string]sinks.Bucket{})
	for name, f := range buckets {
		h.purge.Buckets[name] = f
		sinktest.Fill(t, f, "a", "b")
	}
	h.strayRule(1)
	mixed := item("a", incomplete)
	mixed.Bucket = "mixed"
	h.register(t, item("a", incomplete), mixed)
	h.reconcile(t, asOf, false)
	report, found := h.reconcile(t, asOf.AddDate(0, 1, 0), false)
	if !slices.Equal(found, []string{"unregistered b", "unregistered b"}) || report.Steps != 3 {
		t.Errorf("%d steps, found %q", report.Steps, found)
	}
	for name, want := range map[string]int{"training": 1, "inputs": 2, "mixed": 2} {
		if listed := sinktest.Listed(t, buckets[name], ""); len(listed) != want {
			t.Errorf("left in %s are %q", name, listed)
		}
	}
	delete(h.purge.Buckets, "mixed")
	job := &jobs.Reconcile{Policy: h.policy, Inventory: h.store, Buckets: h.purge.Buckets}
	if _, err := h.runner.Run(t.Context(), job, asOf); err == nil || !strings.Contains(err.Error(), `names the bucket "mixed", and the settings do not`) {
		t.Errorf("a bucket that the settings do not name: %v", err)
	}
}
