package jobs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// Times of what the tests register, and as of which they purge.
var (
	uploaded  = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	completed = uploaded.AddDate(0, 1, 0)
	asOf      = uploaded.AddDate(1, 0, 0)
)

// house is an installation: real stores, an audit log, buckets.
type house struct {
	policy  *config.Policy
	store   *clickhouse.Store
	options clickhouse.Options
	log     *auditlog.Log
	runner  *jobs.Runner
	purge   *jobs.Purge
}

func newHouse(t testing.TB, buckets map[string]sinks.Bucket) *house {
	t.Helper()
	h := &house{policy: sinktest.Policy(t, config.Facesoft)}
	h.store, h.options = sinktest.Store(t, h.policy)
	locks, err := filelock.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key, err := auditlog.NewKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := auditlog.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if h.log, err = auditlog.Open(t.Context(), folder, key, time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.log.Close() })
	h.runner = &jobs.Runner{Policy: h.policy, Log: h.log, Locks: locks, History: h.store, Actor: sinks.ActorOperator}
	h.purge = &jobs.Purge{Policy: h.policy, Personal: h.store, Subjects: h.store, Register: h.store, Inventory: h.store, Buckets: buckets, Locks: locks}
	return h
}

// note is a line of what the training register is made from.
type note struct {
	Type        string    `json:"type"`
	At          time.Time `json:"at"`
	Bucket      string    `json:"bucket,omitempty"`
	Key         string    `json:"key,omitempty"`
	SHA256      string    `json:"sha256,omitempty"`
	Bytes       int       `json:"bytes,omitempty"`
	Purpose     string    `json:"purpose,omitempty"`
	Purposes    []string  `json:"purposes,omitempty"`
	Derivatives []string  `json:"derivatives,omitempty"`
	Consent     bool      `json:"consent,omitempty"`

	Organisation string   `json:"organisation,omitempty"`
	Subject      string   `json:"subject,omitempty"`
	Subjects     []string `json:"subjects,omitempty"`
	Reference    string   `json:"consent_reference,omitempty"`
	By           string   `json:"consent_by,omitempty"`
	Age          *int     `json:"age,omitempty"`
	Model        string   `json:"model,omitempty"`
	Decision     string   `json:"decision,omitempty"`
}

// purposes of registered items: one is complete, one is not.
const (
	complete   = "face-detection"
	incomplete = "liveness"
)

// item is the registration of an object in the bucket "training".
func item(key, purpose string, derivatives ...string) note {
	return note{Type: "training_item", At: uploaded, Bucket: "training", Key: key, Bytes: len(key), Purposes: []string{purpose}, Derivatives: derivatives, Consent: true}
}

// register takes items into the register, by way of ingest, and completes one purpose.
func (h *house) register(t testing.TB, items ...note) {
	t.Helper()
	h.note(t, append(items, note{Type: "training_purpose_completed", At: completed, Purpose: complete})...)
}

// note takes notes into the register, by way of ingest.
func (h *house) note(t testing.TB, notes ...note) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notes.ndjson")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewEncoder(f)
	for _, n := range notes {
		if err := lines.Encode(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ingest := &jobs.Ingest{Policy: h.policy, Inputs: bucket.NewFiles(path), Intake: h.store, Ledger: h.store, Locks: h.runner.Locks}
	now := asOf
	for _, n := range notes {
		if n.At.After(now) {
			now = n.At
		}
	}
	report, err := h.runner.Run(t.Context(), ingest, now)
	if err != nil {
		t.Fatal(err)
	}
	var stored uint64
	for _, o := range report.Outcomes {
		stored += o.Counts[sinks.CountStored]
	}
	if stored != uint64(len(notes)) {
		t.Fatal(fmt.Errorf("%d of %d notes were stored", stored, len(notes)))
	}
}
