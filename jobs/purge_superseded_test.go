package jobs_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// content returns what a reader of a key meets; empty if there is nothing.
func content(t testing.TB, b sinks.Bucket, key string) string {
	t.Helper()
	r, err := b.(sinks.ReadableBucket).Get(t.Context(), key)
	if err != nil {
		return ""
	}
	defer r.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	return string(text)
}

func put(t testing.TB, b sinks.Bucket, key string, contents ...string) {
	t.Helper()
	for _, c := range contents {
		if err := b.Put(context.WithoutCancel(t.Context()), key, strings.NewReader(c)); err != nil {
			t.Fatal(err)
		}
	}
}

// shows is an item with people in it, uploaded at a time.
func shows(at time.Time, key, person string, derivatives ...string) note {
	n := item(key, incomplete, derivatives...)
	n.At, n.Subjects = at, []string{person}
	return n
}

// TestWithdrawalReachesWhatWasThereBeforeANewUpload has images of ann, from which she
// withdraws her consent, and images of bob that are uploaded and registered under the
// same names: what is ann's goes, and what is bob's stays, until he withdraws as well.
func TestWithdrawalReachesWhatWasThereBeforeANewUpload(t *testing.T) {
	t.Parallel()
	withdrawal := note{Type: "training_consent", Decision: "withdrawn"}
	for _, c := range []struct {
		name string
		// when ann withdraws, after her upload; bob uploads a day after it
		withdrawn time.Duration
	}{{"before the new upload", time.Hour}, {"after the new upload", 36 * time.Hour}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := sinktest.StartGateway(t)
			name := g.MakeBucket(t, true, false)
			for store, b := range map[string]sinks.Bucket{"S3": openS3(t, g, g.Address, name), "folder": openFolder(t)} {
				h := newHouse(t, map[string]sinks.Bucket{"training": b})
				h.deriveBy(t, "thumbs/{key}/")
				again := uploaded.Add(24 * time.Hour)
				put(t, b, "k", "ann, blurred", "ann")
				sinktest.Fill(t, b, "thumbs/k/ann", "thumbs/k/both")
				// Stores say to the second when an object was stored.
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond)))
				put(t, b, "k", "bob")
				sinktest.Fill(t, b, "thumbs/k/bob")
				put(t, b, "thumbs/k/both", "bob")
				put(t, b, "crops/both", "ann", "bob")
				put(t, b, "hidden", "ann", "bob")
				sinktest.Fill(t, b, "crops/ann", "crops/ann", "crops/bob", "crops/bob")
				put(t, b, "other", "bob", "bob again")
				if store == "S3" {
					hide(t, g, name, "hidden")
				}
				h.register(t,
					shows(uploaded, "k", "ann", "crops/ann", "crops/both"), shows(again, "k", "bob", "crops/bob", "crops/both"),
					shows(uploaded, "hidden", "ann"), shows(again, "hidden", "bob"),
					shows(uploaded, "other", "bob"))
				w := withdrawal
				w.At, w.Subject = uploaded.Add(c.withdrawn), "ann"
				h.note(t, w)

				steps, err := h.purge.Plan(t.Context(), asOf)
				if n := countAction(steps, sinks.ActionPurgeItem); err != nil || n != 2 {
					t.Errorf("%s: %d items are planned, want ann's two: %v", store, n, err)
				}
				for range 2 { // again has no effect
					report, outcomes, err := h.run(t)
					if err != nil || report.Failed > 0 {
						t.Errorf("%s: %v", store, err)
					}
					for _, o := range outcomes {
						if o.Step.Rule != sinks.RuleConsentWithdrawn || o.Result != sinks.ResultDone || o.Counts[sinks.CountObjects] != 1 {
							t.Errorf("%s: %+v", store, o)
						}
					}
				}
				if store == "S3" {
					want := map[string]int{"k": 1, "crops/both": 1, "crops/bob": 2, "thumbs/k/bob": 1, "thumbs/k/both": 1, "hidden": 2, "other": 2} // hidden: bob's, and what hides it
					if held := contents(t, g, name); !maps.Equal(held, want) {
						t.Errorf("S3 holds %v, want %v", held, want)
					}
				} else if listed := sinktest.Listed(t, b, ""); !slices.Equal(listed, []string{"crops/bob", "crops/both", "hidden", "k", "other", "thumbs/k/bob", "thumbs/k/both"}) {
					t.Errorf("the folder holds %q", listed)
				}
				for _, key := range []string{"k", "crops/both", "thumbs/k/both"} {
					if got := content(t, b, key); got != "bob" {
						t.Errorf("%s: %s is of %q, want bob", store, key, got)
					}
				}

				w.At, w.Subject = uploaded.Add(48*time.Hour), "bob"
				h.note(t, w)
				if _, outcomes, err := h.run(t); err != nil || len(outcomes) != 3 {
					t.Errorf("%s: %d items were purged when bob had withdrawn, want 3: %v", store, len(outcomes), err)
				}
				if listed := sinktest.Listed(t, b, ""); len(listed) > 0 || store == "S3" && len(contents(t, g, name)) > 0 {
					t.Errorf("%s: left in the end: %q", store, listed)
				}
			}
		})
	}
}

// TestRegisteringAnewKeepsNoObjectThatWasWithdrawn registers an object under another
// consent after it was withdrawn, and uploads nothing: it is the one that was withdrawn.
func TestRegisteringAnewKeepsNoObjectThatWasWithdrawn(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	name := g.MakeBucket(t, true, false)
	for store, b := range map[string]sinks.Bucket{"S3": openS3(t, g, g.Address, name), "folder": openFolder(t)} {
		h := newHouse(t, map[string]sinks.Bucket{"training": b})
		put(t, b, "k", "ann, blurred", "ann")
		put(t, b, "granted", "ann")
		at := time.Now().UTC()
		first, second := shows(at, "k", "ann"), shows(at.Add(2*time.Hour), "k", "bob")
		kept, keptAgain := shows(at, "granted", "ann"), shows(at.Add(2*time.Hour), "granted", "ann")
		kept.Reference = "r"
		h.register(t, first, second, kept, keptAgain,
			note{Type: "training_consent", Decision: "withdrawn", At: at.Add(time.Hour), Subject: "ann"},
			note{Type: "training_consent", Decision: "granted", At: at.Add(90 * time.Minute), Reference: "r"})
		now := at.Add(24 * time.Hour)
		report, err := h.runner.Run(t.Context(), h.purge, now)
		if err != nil || report.Counts()[sinks.CountObjects] != 1 {
			t.Errorf("%s: %v, %v; want one item", store, report.Counts(), err)
		}
		if listed := sinktest.Listed(t, b, ""); !slices.Equal(listed, []string{"granted"}) || store == "S3" && len(contents(t, g, name)) != 1 {
			t.Errorf("%s: left are %q", store, listed)
		}
	}
}

// TestHoldOnWhatWasThereBeforeKeepsTheObject has a hold on a person who is to be seen in
// what was under a key before: with the object that would go, too.
func TestHoldOnWhatWasThereBeforeKeepsTheObject(t *testing.T) {
	t.Parallel()
	for person, want := range map[string][]string{"ann": {"k", "k"}, "bob": {"k", "other"}, "eve": nil} {
		t.Run(person, func(t *testing.T) {
			t.Parallel()
			g := sinktest.StartGateway(t)
			name := g.MakeBucket(t, true, false)
			b := openS3(t, g, g.Address, name)
			h := newHouse(t, map[string]sinks.Bucket{"training": b})
			put(t, b, "k", "ann", "bob")
			put(t, b, "other", "bob")
			first, second, other := shows(uploaded, "k", "ann"), shows(uploaded.Add(time.Hour), "k", "bob"), shows(uploaded, "other", "bob")
			second.Purposes, other.Purposes = []string{complete}, []string{complete}
			h.register(t, first, second, other, note{Type: "training_consent", Decision: "withdrawn", At: uploaded.Add(30 * time.Minute), Subject: "ann"})
			hold := sinks.Hold{ID: sinks.NewID(), Dataset: "training", Reason: "a claim", PlacedBy: "dpo", PlacedAt: completed, BySubject: true}
			if _, err := h.runner.Run(t.Context(), &jobs.HoldChange{Policy: h.policy, Register: h.store, Place: &hold, Subject: person}, completed); err != nil {
				t.Fatal(err)
			}
			h.purge.Holds = h.store
			due, err := h.store.DueItems(t.Context(), asOf, jobs.TrainingCutoffs(h.policy, asOf), sinks.ItemPage{})
			if err != nil || len(due) != 3 {
				t.Fatalf("%d items are due, want 3: %v", len(due), err)
			}
			var ids []sinks.ID
			for _, item := range due {
				ids = append(ids, item.Item)
			}
			known, err := h.store.HeldItems(t.Context(), asOf, ids)
			var held []string
			for _, item := range due {
				if known[item.Item] {
					held = append(held, item.Key)
				}
			}
			if err != nil || !slices.Equal(held, want) {
				t.Errorf("held are %q, want %q: %v", held, want, err)
			}
			if _, _, err := h.run(t); err != nil {
				t.Error(err)
			}
			left := map[string]map[string]int{"ann": {"k": 2}, "bob": {"k": 1, "other": 1}, "eve": {}}[person]
			if found := contents(t, g, name); !maps.Equal(found, left) {
				t.Errorf("left are %v, want %v", found, left)
			}
		})
	}
}
