package jobs_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// deriveBy gives the policy rules for what was made from items.
func (h *house) deriveBy(t testing.TB, rules ...string) {
	t.Helper()
	for _, text := range rules {
		rule, err := config.ParseDerivativeRule(text)
		if err != nil {
			t.Fatal(err)
		}
		h.policy.Training.Derivatives = append(h.policy.Training.Derivatives, rule)
	}
}

// TestWhatWasMadeFromAnItemGoesWithItAndNothingElse purges from a real server what rules
// say was made from an item, whatever its state, and leaves what belongs to another item:
// registered, as an item or as a derivative, or lying deeper under that one's prefix.
func TestWhatWasMadeFromAnItemGoesWithItAndNothingElse(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, true)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	h.deriveBy(t, "crops/{key}/", "thumbs/{key}--")
	mine := []string{"a", "crops/a/1", "crops/a/2/x", "crops/a/registered", "thumbs/a--s", "thumbs/a---"}
	others := []string{
		"a--b", "thumbs/a--b--s", // of a longer key
		"crops/a/item", "crops/a/theirs", // registered, by another
		"crops/ab/1", "crops/b/a/1", "thumbs/a-", "made/a/1", // of nobody
		"kept", "crops/kept/1",
	}
	sinktest.Fill(t, b, append(mine, others...)...)
	sinktest.Fill(t, b, "crops/a/1", "crops/a/hidden")
	hide(t, g, name, "crops/a/hidden")
	begin(t, g, name, "crops/a/begun")
	begin(t, g, name, "crops/kept/begun")
	h.register(t,
		item("a", complete, "crops/a/registered", "crops/a/never"), item("bare", complete),
		item("a--b", incomplete), item("crops/a/item", incomplete), item("kept", incomplete, "crops/a/theirs"))
	ids := h.ids(t)

	holding := func(status minio.LegalHoldStatus) {
		t.Helper()
		if err := g.Client.PutObjectLegalHold(t.Context(), name, "crops/a/2/x", minio.PutObjectLegalHoldOptions{Status: &status}); err != nil {
			t.Fatal(err)
		}
	}
	holding(minio.LegalHoldEnabled)
	_, outcomes, err := h.run(t)
	if o := outcomes[ids["a"]]; !errors.Is(err, sinks.ErrRefused) || o.Result != sinks.ResultFailed || !strings.Contains(o.Err.Error(), "made from it") {
		t.Errorf("with a locked derivative: %s, %v", o.Result, o.Err)
	}
	if buried := h.buried(t, ids); !slices.Equal(buried, []string{"bare"}) {
		t.Errorf("tombstones of %q, want none of what has a locked derivative", buried)
	}
	holding(minio.LegalHoldDisabled)
	_, outcomes, err = h.run(t)
	if o := outcomes[ids["a"]]; err != nil || o.Result != sinks.ResultDone || o.Counts[sinks.CountDerivatives] != 3 {
		t.Errorf("%s, %v, %v; want the two that are registered, and the one that was left", o.Result, o.Counts, err)
	}
	want := map[string]int{"crops/kept/begun": 1}
	for _, key := range others {
		want[key] = 1
	}
	if held := contents(t, g, name); !maps.Equal(held, want) {
		t.Errorf("left are %v\nwant %v", held, want)
	}
}

// TestThousandsOfFramesGoWithTheirFootage has more objects made from an item than are held
// in memory at once.
func TestThousandsOfFramesGoWithTheirFootage(t *testing.T) {
	t.Parallel()
	const frames = 12_000
	dir := t.TempDir()
	f, err := bucket.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing is under way
	for i := range 2 * frames {
		path := filepath.Join(dir, "frames", fmt.Sprintf("%d.mp4", i%2), fmt.Sprintf("%05d.jpg", i))
		if i < 2 {
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err = errors.Join(err, os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	h := newHouse(t, map[string]sinks.Bucket{"training": f})
	h.deriveBy(t, "frames/{key}/")
	sinktest.Fill(t, f, "0.mp4", "1.mp4")
	h.register(t, item("0.mp4", complete), item("1.mp4", incomplete))
	id := h.ids(t)["0.mp4"]
	_, outcomes, err := h.run(t)
	if o := outcomes[id]; err != nil || o.Counts[sinks.CountDerivatives] != frames {
		t.Errorf("%v (%v), want %d derivatives", o.Counts, err, frames)
	}
	if left := sinktest.Listed(t, f, ""); len(left) != frames+1 || slices.Contains(left, "0.mp4") || !strings.HasPrefix(left[1], "frames/1.mp4/") {
		t.Errorf("%d objects are left: %q …", len(left), left[:min(3, len(left))])
	}
}

// TestDerivativesByRuleAreNoStrays reconciles a bucket in which objects were made from
// items and never registered: they belong there as long as their item does.
func TestDerivativesByRuleAreNoStrays(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	b := openS3(t, g, g.Address, name)
	h := newHouse(t, map[string]sinks.Bucket{"training": b})
	h.strayRule(0.9)
	h.deriveBy(t, "crops/{key}/")
	sinktest.Fill(t, b, "fine", "crops/fine/1", "crops/fine/2", "crops/gone/1", "crops/nobody/1", "crops/fine2/1", "crops/late/1", "crops/fine/hidden")
	hide(t, g, name, "crops/fine/hidden")
	h.register(t, item("fine", incomplete, "crops/fine/1"), item("gone", incomplete))
	want := []string{"missing gone", "unregistered crops/fine2/1", "unregistered crops/late/1", "unregistered crops/nobody/1", "without its item crops/gone/1"}
	report, found := h.reconcile(t, asOf, false)
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	counts := map[sinks.Count]uint64{sinks.CountRead: 7, sinks.CountStrays: 3, sinks.CountMissing: 1, sinks.CountOrphans: 1}
	if got := report.Outcomes[0].Counts; !maps.Equal(got, counts) {
		t.Errorf("counted %v, want %v", got, counts)
	}
	late := item("late", incomplete) // what it was made from is registered in time
	late.At = asOf.AddDate(0, 0, 6)
	h.note(t, late)
	if report, _ = h.reconcile(t, asOf.AddDate(0, 0, 8), false); report.Steps != 3 {
		t.Errorf("%d steps, want the comparison and two strays", report.Steps)
	}
	left := slices.Sorted(maps.Keys(contents(t, g, name)))
	if !slices.Equal(left, []string{"crops/fine/1", "crops/fine/2", "crops/fine/hidden", "crops/gone/1", "crops/late/1", "fine"}) {
		t.Errorf("left are %q", left)
	}
}
