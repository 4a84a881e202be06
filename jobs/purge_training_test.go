package jobs_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func openS3(t testing.TB, g *sinktest.Gateway, address, name string) *bucket.S3 {
	return openImpatient(t, g, address, name, 0)
}

func openImpatient(t testing.TB, g *sinktest.Gateway, address, name string, timeout time.Duration) *bucket.S3 {
	t.Helper()
	s, err := bucket.NewS3(bucket.S3Options{
		Endpoint: address, PlainHTTP: true, Region: sinktest.GatewayRegion, Credentials: g.Credentials(), Bucket: name, Timeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func openFolder(t testing.TB) *bucket.Folder {
	t.Helper()
	f, err := bucket.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// contents counts all that a bucket of a server holds, by key.
func contents(t testing.TB, g *sinktest.Gateway, name string) map[string]int {
	t.Helper()
	held := map[string]int{}
	for o := range g.Client.ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		held[o.Key]++
	}
	for u := range g.Client.ListIncompleteUploads(t.Context(), name, "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		held[u.Key]++
	}
	return held
}

func hide(t testing.TB, g *sinktest.Gateway, name, key string) {
	t.Helper()
	if err := g.Client.RemoveObject(t.Context(), name, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func begin(t testing.TB, g *sinktest.Gateway, name, key string) {
	t.Helper()
	if _, err := (minio.Core{Client: g.Client}).NewMultipartUpload(t.Context(), name, key, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// run purges and returns the outcome of each purged item by its id.
func (h *house) run(t testing.TB) (*jobs.Report, map[sinks.ID]jobs.Outcome, error) {
	t.Helper()
	report, err := h.runner.Run(t.Context(), h.purge, asOf)
	if report == nil {
		t.Fatal(err)
	}
	outcomes := map[sinks.ID]jobs.Outcome{}
	for _, o := range report.Outcomes {
		if o.Step.Action == sinks.ActionPurgeItem {
			outcomes[o.Step.Item] = o
		}
	}
	return report, outcomes, err
}

// ids returns the ids of the items that are due, by key.
func (h *house) ids(t testing.TB) map[string]sinks.ID {
	t.Helper()
	due, err := h.store.DueItems(t.Context(), asOf, sinks.TrainingCutoffs{sinks.RulePurposeCompleted: asOf}, sinks.ItemPage{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]sinks.ID{}
	for _, item := range due {
		ids[item.Key] = item.Item
	}
	return ids
}

// buried returns which of the items have a tombstone.
func (h *house) buried(t testing.TB, ids map[string]sinks.ID) []string {
	t.Helper()
	stones, err := h.store.Tombstones(t.Context(), slices.Collect(maps.Values(ids)))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for key, id := range ids {
		if _, ok := stones[id]; ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// stock fills a bucket with what can lie under a key: versions, hidden objects,
// unfinished uploads, derivatives, of items that are due and of such that are not.
// It returns the registrations and what has to be left.
func stock(t testing.TB, g *sinktest.Gateway, name string, n int) (items []note, rest map[string]int) {
	t.Helper()
	b := openS3(t, g, g.Address, name)
	for i := range n {
		key, crop := fmt.Sprintf("org-%d/img-%04d.jpg", i%3, i), fmt.Sprintf("crops/img-%04d.webp", i)
		sinktest.Fill(t, b, key, key, crop)
		switch i % 4 {
		case 1:
			hide(t, g, name, key)
		case 2:
			begin(t, g, name, crop)
			begin(t, g, name, key)
		case 3:
			hide(t, g, name, crop)
			sinktest.Fill(t, b, key)
		}
		purpose := complete
		if i%5 == 0 {
			purpose = incomplete
		}
		items = append(items, item(key, purpose, crop, crop+".embedding")) // the latter was never made
	}
	sinktest.Fill(t, b, "org-1/img-", "org-1/img-0001.jpg.txt", "crops/img-0001.web", "zzz")
	rest = contents(t, g, name)
	for _, item := range items {
		if item.Purposes[0] == complete {
			delete(rest, item.Key)
			delete(rest, item.Derivatives[0])
		}
	}
	return items, rest
}

func TestPurgeLeavesNothingOfWhatIsDueAndAllOfTheRest(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	h := newHouse(t, map[string]sinks.Bucket{"training": openS3(t, g, g.Address, name)})
	items, rest := stock(t, g, name, 40)
	h.register(t, items...)
	ids := h.ids(t)
	report, outcomes, err := h.run(t)
	if err != nil || report.Result != sinks.ResultDone || len(outcomes) != len(ids) || len(ids) != 32 {
		t.Fatalf("%s, %d outcomes of %d items, %v", report.Result, len(outcomes), len(ids), err)
	}
	for key, id := range ids {
		o := outcomes[id]
		want := map[sinks.Count]uint64{sinks.CountObjects: 1, sinks.CountDerivatives: 2, sinks.CountBytes: uint64(len(key))}
		if o.Result != sinks.ResultDone || !maps.Equal(o.Counts, want) || len(o.Stages) != 2 {
			t.Errorf("%s: %+v", key, o)
		}
	}
	if held := contents(t, g, name); !maps.Equal(held, rest) {
		t.Errorf("the bucket holds %v, want %v", held, rest)
	}
	if buried := h.buried(t, ids); len(buried) != len(ids) {
		t.Errorf("%d tombstones of %d", len(buried), len(ids))
	}
	if report, _, err = h.run(t); err != nil || report.Steps != 0 {
		t.Errorf("the next run had %d steps, %v", report.Steps, err)
	}
}

func TestPurgeEndsTheSameWhereHalfOfAllCallsFail(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			name := g.MakeBucket(t, true, false)
			faults := sinktest.StartFaults(t, g.Address, sinktest.Half(seed))
			h := newHouse(t, map[string]sinks.Bucket{"training": openImpatient(t, g, faults.Address, name, 500*time.Millisecond)})
			items, rest := stock(t, g, name, 24)
			h.register(t, items...)
			ids := h.ids(t)
			for run := 1; ; run++ {
				report, _, err := h.run(t)
				if err == nil && report.Failed == 0 {
					break
				}
				if !errors.Is(err, sinks.ErrUnavailable) || run == 20 {
					t.Fatalf("run %d: %v", run, err)
				}
			}
			if held := contents(t, g, name); !maps.Equal(held, rest) {
				t.Errorf("the bucket holds %v, want %v", held, rest)
			}
			if buried := h.buried(t, ids); len(buried) != len(ids) {
				t.Errorf("%d tombstones of %d", len(buried), len(ids))
			}
			met := faults.Met()
			if failed := faults.Calls() - met[sinktest.NoFault]; failed < faults.Calls()/4 {
				t.Errorf("only %d of %d calls failed", failed, faults.Calls())
			}
		})
	}
}

func TestLockedItemStaysDueWithItsDate(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, true)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	sinktest.Fill(t, b, "free", "kept", "parent", "crop", "held")
	until := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	lock := func(key string, until time.Time) {
		t.Helper()
		mode := minio.Governance
		options := minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, GovernanceBypass: true}
		for o := range g.Client.ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{WithVersions: true, Prefix: key}) {
			if !o.IsDeleteMarker {
				options.VersionID = o.VersionID
				if err := g.Client.PutObjectRetention(t.Context(), name, key, options); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	holding := func(status minio.LegalHoldStatus) {
		t.Helper()
		if err := g.Client.PutObjectLegalHold(t.Context(), name, "held", minio.PutObjectLegalHoldOptions{Status: &status}); err != nil {
			t.Fatal(err)
		}
	}
	lock("kept", until)
	lock("crop", until.Add(time.Hour))
	holding(minio.LegalHoldEnabled)
	hide(t, g, name, "kept") // and so it must stay
	h.register(t, item("free", complete), item("kept", complete), item("parent", complete, "crop"), item("held", complete))
	ids := h.ids(t)

	report, outcomes, err := h.run(t)
	if report.Result != sinks.ResultPartial || !errors.Is(err, sinks.ErrRefused) || !strings.Contains(err.Error(), until.Format(time.RFC3339)) {
		t.Errorf("%s, %v; want %s and the date", report.Result, err, sinks.ResultPartial)
	}
	for key, want := range map[string]time.Time{"kept": until, "parent": until.Add(time.Hour), "held": {}} {
		o := outcomes[ids[key]]
		if o.Result != sinks.ResultFailed || sinks.ClassOf(o.Err) != sinks.ErrorRefused || !o.LockedUntil.Equal(want) {
			t.Errorf("%s: %s until %s, %v; want %s", key, o.Result, o.LockedUntil, o.Err, want)
		}
	}
	for e, err := range h.log.Backwards(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == sinks.Outcome && e.Item == ids["kept"] && !e.Locked.Equal(until) {
			t.Errorf("the audit log says that it is locked until %s, want %s", e.Locked, until)
		}
	}
	if buried := h.buried(t, ids); !slices.Equal(buried, []string{"free"}) {
		t.Errorf("tombstones of %q, want one of what is free", buried)
	}
	if held := contents(t, g, name); !maps.Equal(held, map[string]int{"kept": 2, "crop": 1, "held": 1}) {
		t.Errorf("the bucket holds %v", held)
	}
	if listed := sinktest.Listed(t, b, ""); !slices.Equal(listed, []string{"crop", "held"}) {
		t.Errorf("to be seen are %q; want nothing that was hidden", listed)
	}

	soon := time.Now().Add(1500 * time.Millisecond)
	lock("kept", soon)
	lock("crop", soon)
	holding(minio.LegalHoldDisabled)
	time.Sleep(time.Until(soon.Add(time.Second)))
	if report, _, err = h.run(t); err != nil || report.Result != sinks.ResultDone {
		t.Errorf("after the locks have run out: %s, %v", report.Result, err)
	}
	if buried, held := h.buried(t, ids), contents(t, g, name); len(buried) != 4 || len(held) > 0 {
		t.Errorf("tombstones of %q, left %v", buried, held)
	}
}

func TestItemThatIsMissingAlreadyIsDone(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	sinktest.Fill(t, f, "there", "made/of-missing")
	h.register(t, item("there", complete, "made/never"), item("missing", complete, "made/of-missing"))
	ids := h.ids(t)
	if report, _, err := h.run(t); err != nil || report.Result != sinks.ResultDone {
		t.Errorf("%s, %v", report.Result, err)
	}
	if listed := sinktest.Listed(t, f, ""); len(listed) > 0 {
		t.Errorf("left %q", listed)
	}
	if buried := h.buried(t, ids); len(buried) != 2 {
		t.Errorf("tombstones of %q", buried)
	}
}

func TestItemThatCannotBeLookedForHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	f := openFolder(t)
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	sinktest.Fill(t, f, "a", "b")
	h.register(t, item("a", complete), item("../escape", complete), item("b", complete, "c//d"), item("c", complete))
	ids := h.ids(t)
	report, outcomes, err := h.run(t)
	if report.Result != sinks.ResultPartial || err == nil || strings.Contains(err.Error(), "escape") {
		t.Errorf("%s, %v; want no name", report.Result, err)
	}
	for _, key := range []string{"../escape", "b"} {
		if o := outcomes[ids[key]]; !errors.Is(o.Err, sinks.ErrInvalidInput) {
			t.Errorf("%s: %v, want %v", key, o.Err, sinks.ErrInvalidInput)
		}
	}
	if buried := h.buried(t, ids); !slices.Equal(buried, []string{"a", "c"}) {
		t.Errorf("tombstones of %q, want those that could be looked for", buried)
	}
}

func TestPurgeDeletesAThousandAtOnceAndGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, false, false)
	deletions, lists, most := 0, 0, 2
	faults := sinktest.StartFaults(t, g.Address, func(r *http.Request) sinktest.Fault {
		switch q := r.URL.Query(); {
		case r.Method == http.MethodPost && q.Has("delete"):
			if deletions++; deletions > most {
				return sinktest.SlowDown // until the run is given up
			}
		case q.Has("versions"):
			lists++
		}
		return sinktest.NoFault
	})
	h := newHouse(t, map[string]sinks.Bucket{"training": openS3(t, g, faults.Address, name)})
	var items []note
	var keys []string
	for i := range 3500 {
		keys = append(keys, fmt.Sprintf("a/%02d/%04d", i%10, i))
		items = append(items, item(keys[i], complete))
	}
	sinktest.Fill(t, openS3(t, g, g.Address, name), keys...)
	h.register(t, items...)
	ids := h.ids(t)
	if report, _, err := h.run(t); report.Result != sinks.ResultPartial || !errors.Is(err, sinks.ErrUnavailable) {
		t.Fatalf("%s, %v; want a run that broke off", report.Result, err)
	}
	if held := contents(t, g, name); len(held) != 1500 {
		t.Errorf("%d objects are left, want 1,500", len(held))
	}
	if buried := h.buried(t, ids); len(buried) != 2000 {
		t.Errorf("%d tombstones, want 2,000", len(buried))
	}
	deletions, lists, most = 0, 0, 1000
	if report, outcomes, err := h.run(t); err != nil || report.Result != sinks.ResultDone || len(outcomes) != 1500 {
		t.Errorf("%s of %d items, %v", report.Result, len(outcomes), err)
	}
	if held := contents(t, g, name); len(held) > 0 {
		t.Errorf("%d objects are left", len(held))
	}
	if buried := h.buried(t, ids); len(buried) != 3500 {
		t.Errorf("%d tombstones, want 3,500", len(buried))
	}
	if deletions != 2 || lists > 14 {
		t.Errorf("%d deletions and %d listings of 1,500 objects", deletions, lists)
	}
}

func TestWhatWasDeletedUnheardIsDone(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	faults := sinktest.StartFaults(t, g.Address, func(r *http.Request) sinktest.Fault {
		if r.Method == http.MethodPost && r.URL.Query().Has("delete") {
			return sinktest.DoneUnheard // always
		}
		return sinktest.NoFault
	})
	h := newHouse(t, map[string]sinks.Bucket{"training": openS3(t, g, faults.Address, name)})
	sinktest.Fill(t, openS3(t, g, g.Address, name), "a", "a", "b")
	h.register(t, item("a", complete), item("b", complete))
	ids := h.ids(t)
	if report, _, err := h.run(t); err != nil || report.Result != sinks.ResultDone {
		t.Errorf("%s, %v", report.Result, err)
	}
	if buried, held := h.buried(t, ids), contents(t, g, name); len(buried) != 2 || len(held) > 0 {
		t.Errorf("tombstones of %q, left %v", buried, held)
	}
}
