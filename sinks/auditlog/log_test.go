package auditlog

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(context.Background(), f, k, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		e := &sinks.Entry{Action: sinks.ActionRun, Actor: sinks.ActorOperator, AsOf: time.Now(), Job: sinks.JobPurge, Phase: sinks.Intent,
			Policy: sinks.PolicyRef{Name: sinks.MustName("p"), Version: sinks.MustName("v1")}, Run: sinks.NewID(), Step: sinks.NewID()}
		if err := l.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	n := 0
	for _, err := range l.Backwards(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	t.Log(n)
	os.WriteFile("/tmp/refs/k.pub", []byte(k.VerifierKey()), 0o600)
	c := exec.Command("/tmp/refs/bin/fsck", "-storage_url", "file://"+dir+"/2026", "-public_key", "/tmp/refs/k.pub", "-origin", "example.com/audit/"+time.Now().UTC().Format("2006"), "-ui=false")
	out, err := c.CombinedOutput()
	t.Logf("%s %v", out, err)
	out, err = exec.Command("find", dir).CombinedOutput()
	t.Logf("%s %v", out[:2000], err)
}
