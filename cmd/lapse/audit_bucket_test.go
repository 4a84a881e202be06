package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// inBucket puts the settings of a bucket for the audit log into the environment.
func inBucket(t *testing.T, g *sinktest.Gateway, bucket string) {
	t.Helper()
	t.Setenv("LAPSE_AUDIT_S3_ENDPOINT", "http://"+g.Address)
	t.Setenv("LAPSE_AUDIT_S3_BUCKET", bucket)
	t.Setenv("LAPSE_AUDIT_S3_REGION", sinktest.GatewayRegion)
	t.Setenv("LAPSE_AUDIT_REGION", "EEA")
	t.Setenv("AWS_ACCESS_KEY_ID", sinktest.GatewayAccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", sinktest.GatewaySecretKey)
}

// TestAuditLogInABucket keeps the audit log in a real object store, with locked
// objects, and does with it all that is done with a folder.
func TestAuditLogInABucket(t *testing.T) {
	g := sinktest.StartGateway(t)
	w := newWorld(t)
	inBucket(t, g, g.MakeBucket(t, true, true))
	t.Setenv("LAPSE_AUDIT_S3_PREFIX", "lapse/")
	t.Setenv("LAPSE_AUDIT_S3_RETENTION", "PT1H")
	w.must(jobCommand("ingest")...)
	w.must(jobCommand("purge")...)
	if _, err := os.Stat(filepath.Join(w.dir, "data", "audit")); err == nil {
		t.Error("an audit log was written into a folder although a bucket was named")
	}
	entries := strings.Count(w.must("audit", "log", "--output", "json"), "\n")
	for _, c := range []struct {
		line []string
		want string
	}{
		{[]string{"audit", "verify", "--copy"}, fmt.Sprintf("copy: holds the %d entries of the log", entries)},
		{[]string{"audit", "witness", "--add-to", "anchors"}, fmt.Sprintf("at least %d entries", entries)},
		{[]string{"audit", "key", "rotate"}, "is signed by"},
		{[]string{"run", "purge", "--as-of", expired}, "unchanged"},
		{[]string{"audit", "verify", "--anchors", "anchors"}, "continues 1 earlier checkpoints"},
		{[]string{"status"}, fmt.Sprintf("audit log: %d entries", entries+3)},
		{[]string{"audit", "export", "--out", "export"}, fmt.Sprintf("%d entries, verified", entries+3)},
		{[]string{"audit", "verify", "--dir", "export/log", "--key", "export/audit.key.pub"}, fmt.Sprintf("verified: %d entries", entries+3)},
	} {
		if out := w.must(c.line...); !strings.Contains(out, c.want) {
			t.Errorf("lapse %s: want %q:\n%s", strings.Join(c.line, " "), c.want, out)
		}
	}
	t.Setenv("LAPSE_AUDIT_S3_ENDPOINT", "http://127.0.0.1:1")
	if code, out := w.code("audit", "verify"); code != exitRetriable {
		t.Errorf("verification of a store that does not answer: exit code %d\n%s", code, out)
	}
}
