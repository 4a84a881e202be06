//go:build failpoints

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// gallery is an installation with a bucket on an S3 server: objects of two versions each,
// with derivatives, registered and by a rule, of which some are due, some not, and some under legal hold.
type gallery struct {
	*world
	g      *sinktest.Gateway
	bucket string
	due    int            // items
	rest   map[string]int // versions by key that have to be left
}

// newGallery makes one with n items.
func newGallery(t *testing.T, n int) *gallery {
	t.Helper()
	gate := sinktest.StartGateway(t)
	t.Setenv("AWS_ACCESS_KEY_ID", sinktest.GatewayAccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", sinktest.GatewaySecretKey)
	w := &gallery{world: newInstallation(t), g: gate, bucket: gate.MakeBucket(t, true, false), rest: map[string]int{}}
	w.useBucket()
	policy := filepath.Join(w.dir, "policy.yaml")
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("\ntraining:\n"), []byte("\ntraining:\n  derivatives: [\"made/{key}/\"]\n"), 1)
	if err := os.WriteFile(policy, text, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := bucket.NewS3(bucket.S3Options{Endpoint: gate.Address, PlainHTTP: true, Region: sinktest.GatewayRegion, Credentials: gate.Credentials(), Bucket: w.bucket})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // nothing is under way
	var keys []string
	var notes strings.Builder
	lines := json.NewEncoder(&notes)
	for i := range n {
		note := map[string]any{
			"type": "training_item", "at": "2024-03-01T12:00:00Z", "bucket": "training", "key": fmt.Sprintf("o%d/img-%05d.jpg", i%7, i),
			"organisation": fmt.Sprintf("o%d", i%7), "bytes": 7, "purposes": []string{"complete"}, "consent": true,
		}
		own := []string{note["key"].(string)}
		if i%5 == 0 {
			note["purposes"] = []string{"open"}
		}
		if i%3 == 0 {
			own = append(own, fmt.Sprintf("crops/img-%05d.webp", i))
			note["derivatives"] = own[1:]
		}
		if i%4 == 1 {
			own = append(own, fmt.Sprintf("made/%s/face.webp", note["key"]))
		}
		if err := lines.Encode(note); err != nil {
			t.Fatal(err)
		}
		if keys = append(keys, own...); i%5 != 0 && i%7 != 6 {
			w.due++
			continue
		}
		for _, key := range own {
			w.rest[key] = 2
		}
	}
	sinktest.Fill(t, store, keys...)
	sinktest.Fill(t, store, keys...)
	if err := os.WriteFile(filepath.Join(w.dir, "notes.ndjson"), []byte(notes.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("training", "register", "notes.ndjson")
	w.must("training", "complete", "complete", "--at", "2024-04-01")
	w.must("hold", "add", "--organisation", "o6", "--reason", "a claim", "--by", "dpo")
	return w
}

// useBucket writes the bucket into the settings.
func (w *gallery) useBucket() {
	w.t.Helper()
	settings := fmt.Sprintf(`policy: policy.yaml
data_dir: data
clickhouse: {region: EEA}
buckets:
  - name: training
    region: EEA
    s3: {endpoint: "http://%s", bucket: %q, region: %s}
`, w.g.Address, w.bucket, sinktest.GatewayRegion)
	if err := os.WriteFile(filepath.Join(w.dir, config.SettingsFile), []byte(settings), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// copy returns another gallery in the same state, with a bucket of its own.
func (w *gallery) copy(t *testing.T) *gallery {
	t.Helper()
	other := &gallery{world: w.world.copy(t), g: w.g, bucket: w.g.MakeBucket(t, true, false), due: w.due, rest: w.rest}
	w.g.Copy(t, w.bucket, other.bucket)
	other.useBucket()
	return other
}

// purge runs a whole purge: what is under hold waits, which its exit code says.
func (w *gallery) purge() {
	w.t.Helper()
	if code, out := w.code(jobCommand("purge")...); code != exitOverdue {
		w.t.Fatalf("lapse run purge ended with %d\n%s", code, out)
	}
}

// check looks for everything that a purge has to have brought about, once.
func (w *gallery) check() {
	w.t.Helper()
	held := map[string]int{}
	for o := range w.g.Client.ListObjectsIter(w.t.Context(), w.bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		if o.Err != nil {
			w.t.Fatal(o.Err)
		}
		held[o.Key]++
	}
	if !maps.Equal(held, w.rest) {
		w.t.Errorf("the bucket holds versions of %d keys, want those of %d", len(held), len(w.rest))
	}
	w.read("SELECT count(), uniqExact(item), uniqExactIf(object, object != '') FROM lapse.tombstones", func(scan func(...any) error) error {
		var stones, items, objects uint64
		err := scan(&stones, &items, &objects)
		if stones != uint64(w.due) || items != uint64(w.due) || objects != uint64(w.due) {
			w.t.Errorf("%d tombstones of %d items and %d objects, want one of each of %d", stones, items, objects, w.due)
		}
		return err
	})
	if verified := w.must("audit", "verify"); strings.Contains(verified, "have not ended") {
		w.t.Errorf("steps are open:\n%s", verified)
	}
}

// TestPurgeKilledAnywhereEndsTheSame kills a purge of an S3 bucket, as kill -9 does, at
// its failpoints and at random moments, and runs it again: nothing is left of what was
// due, all of the rest, and there is one tombstone each. A long run (LAPSE_SOAK) does so
// with 5,000 objects, at every failpoint and at fifty moments.
func TestPurgeKilledAnywhereEndsTheSame(t *testing.T) {
	items, moments := 150, 1
	points := []string{"purge.marked", "purge.deleted", "purge.derived_deleted", "purge.verified", "purge.buried"}
	if os.Getenv("LAPSE_SOAK") != "" {
		items, moments = 3160, 50 // with a registered derivative of every third, and one by a rule of every fourth
		points = []string{
			"purge.announced", "purge.planned", "purge.intent", "purge.marked", "purge.deleted", "purge.derived_deleted", "purge.verified", "purge.buried",
			"purge.forgotten", "purge.executed", "purge.outcome", "purge.ended",
		}
	}
	before := newGallery(t, items)
	undisturbed := before.copy(t)
	start := time.Now()
	undisturbed.purge()
	whole := time.Since(start)
	undisturbed.check()
	for _, point := range points {
		t.Run(strings.TrimPrefix(point, "purge."), func(t *testing.T) {
			w := before.copy(t)
			if os.Getenv("LAPSE_SOAK") == "" {
				w.keepEngine() // TestKilled has it die in a purge
			}
			w.killedAt(point, "purge")
			w.purge()
			w.check()
		})
	}
	random := rand.New(rand.NewPCG(20180525, uint64(time.Now().UnixNano())))
	for range moments {
		moment := time.Duration(random.Int64N(int64(whole)))
		t.Run(moment.String(), func(t *testing.T) {
			w := before.copy(t)
			w.killedAfter(moment, "purge")
			w.purge()
			w.check()
		})
	}
}
