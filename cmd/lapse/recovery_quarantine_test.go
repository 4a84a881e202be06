//go:build failpoints

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newMendedDays is an installation with records in quarantine that its policy can read
// by now, and others that it cannot.
func newMendedDays(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	var calls bytes.Buffer
	for n := range 300 {
		fmt.Fprintf(&calls, `{"type":"page","messageId":"q%d","userId":"u%d","timestamp":"2024-01-%02dT10:00:00Z","properties":{"duration_ms":"long"}}`+"\n", n%290, n%7, 1+n%20)
		calls.WriteString(`{"type":"page"` + "\n")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "input", "quarantined.ndjson"), calls.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(jobCommand("ingest")...)
	path := filepath.Join(w.dir, "policy.yaml")
	policy, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mended := bytes.Replace(policy, []byte("from: properties.duration_ms"), []byte("from: properties.length_ms"), 1)
	if bytes.Equal(mended, policy) {
		t.Fatal("the policy has changed: mend something else")
	}
	if err := os.WriteFile(path, mended, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestKilledInTheQuarantine kills the replay of quarantined records, and then their
// dropping.
func TestKilledInTheQuarantine(t *testing.T) {
	t.Parallel()
	before := newMendedDays(t)
	for _, job := range []struct{ name, failpoints string }{
		{"replay", "announced planned intent begun stored chunk removed accounted executed outcome ended"},
		{"drop", "announced planned intent removed executed outcome ended"},
	} {
		var points []string
		for _, p := range strings.Fields(job.failpoints) {
			points = append(points, job.name+"."+p)
		}
		after := killedEverywhere(t, before, job.name, points, (*world).state)
		if after.state() == before.state() {
			t.Errorf("%s has changed nothing", job.name)
		}
		before = after
	}
}
