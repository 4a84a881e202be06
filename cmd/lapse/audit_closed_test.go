package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// closedPlaces are ways in which the audit log of a world cannot be written. Each
// returns how it is made writable again.
var closedPlaces = map[string]func(t *testing.T, w *world) (reopen func()){
	"no folder can be made": func(t *testing.T, w *world) func() {
		file := filepath.Join(w.dir, "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LAPSE_AUDIT_DIR", filepath.Join(file, "audit"))
		return func() { _ = os.Unsetenv("LAPSE_AUDIT_DIR") }
	},
	"the key is open to others": func(t *testing.T, w *world) func() {
		key := w.settings().AuditKeyFile()
		chmod(t, key, 0o644)
		return func() { chmod(t, key, 0o600) }
	},
	"the store refuses the credentials": func(t *testing.T, _ *world) func() {
		g := sinktest.StartGateway(t)
		inBucket(t, g, g.MakeBucket(t, true, false))
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		return func() { t.Setenv("AWS_SECRET_ACCESS_KEY", sinktest.GatewaySecretKey) }
	},
	"the bucket is not there": func(t *testing.T, _ *world) func() {
		g := sinktest.StartGateway(t)
		inBucket(t, g, "nobodys")
		return func() { t.Setenv("LAPSE_AUDIT_S3_BUCKET", g.MakeBucket(t, true, false)) }
	},
	"the store does not answer": func(t *testing.T, _ *world) func() {
		g := sinktest.StartGateway(t)
		inBucket(t, g, g.MakeBucket(t, true, false))
		t.Setenv("LAPSE_AUDIT_S3_ENDPOINT", "http://127.0.0.1:1")
		return func() { t.Setenv("LAPSE_AUDIT_S3_ENDPOINT", "http://"+g.Address) }
	},
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestNothingHappensWithoutTheAuditLog closes the place of the audit log in every
// way it can be: no job does anything, and each ends with the exit code that is for
// this alone (I1). Once the log can be written again, what is due is done.
func TestNothingHappensWithoutTheAuditLog(t *testing.T) {
	w := newWorld(t)
	w.keepEngine()
	w.must(jobCommand("ingest")...)
	more := filepath.Join(w.dir, "more.ndjson")
	if err := os.WriteFile(more, []byte(`{"type":"page","messageId":"new","anonymousId":"new","originalTimestamp":"2024-01-10T10:00:00.000Z","name":"Home"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := w.held()
	for name, closePlace := range closedPlaces {
		t.Run(name, func(t *testing.T) {
			reopen := closePlace(t, w)
			for _, line := range [][]string{jobCommand("anonymise"), jobCommand("purge"), {"run", "ingest", more}} {
				code, out := w.code(line...)
				if code != exitAudit || !strings.Contains(out, "the audit log cannot be written, so nothing more is done: ") {
					t.Errorf("lapse %s: exit code %d\n%s", strings.Join(line, " "), code, out)
				}
			}
			if after := w.held(); after != before {
				t.Errorf("without the audit log:\n%s\nbefore:\n%s", after, before)
			}
			reopen()
			if out := w.must("run", "anonymise", "--as-of", received); !strings.Contains(out, "unchanged") { // that nothing is due is written down, too
				t.Errorf("the log can be written again:\n%s", out)
			}
		})
	}
	w.must("audit", "verify")
	if out := w.must(jobCommand("purge")...); strings.Contains(out, "unchanged") {
		t.Errorf("nothing was due, so the test shows nothing:\n%s", out)
	}
}

// held describes the tables and objects, without the audit log.
func (w *world) held() string {
	w.t.Helper()
	var b bytes.Buffer
	w.tables(&b)
	w.objects(&b)
	return b.String()
}
