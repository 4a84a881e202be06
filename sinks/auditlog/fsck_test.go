package auditlog

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

var fsckTool = &sinktest.Tool{Module: "github.com/transparency-dev/tessera/cmd/fsck", Version: "v1.0.4"}

// TestIndependentImplementationAgrees has Tessera's fsck check our logs. It tells
// its verdict in words, not by its exit code.
func TestIndependentImplementationAgrees(t *testing.T) {
	t.Parallel()
	fsck := fsckTool.Path(t)
	for _, size := range []int{1, 255, 256, 257, 70_000} {
		dir, k := t.TempDir(), testKey(t)
		keyFile := filepath.Join(t.TempDir(), "key.pub")
		if err := os.WriteFile(keyFile, []byte(k.VerifierKey()), 0o600); err != nil {
			t.Fatal(err)
		}
		l := openTestLog(t, openTestFolder(t, dir), k, atStart)
		mustAppend(t, l, pairs(size)...)
		_ = l.Close()
		check := func() string {
			out, err := exec.Command(fsck, "-ui=false", "-storage_url", "file://"+filepath.Join(dir, "2026"),
				"-public_key", keyFile, "-origin", testLog+"/2026").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
		if out := check(); !strings.Contains(out, "Successfully fsck'd") {
			t.Errorf("size %d: %s", size, out)
		}
		flipByte(t, filepath.Join(dir, "2026", "tile", "entries", "000"+map[bool]string{true: ".p/1"}[size == 1]), size)
		if out := check(); size != 255 && strings.Contains(out, "Successfully fsck'd") {
			t.Errorf("size %d: a changed bundle was accepted", size)
		}
	}
}

// TestIndependentImplementationReadsAnExport has it check the export of a log whose
// newest entries have no tiles yet, which by itself it could not read.
func TestIndependentImplementationReadsAnExport(t *testing.T) {
	t.Parallel()
	fsck := fsckTool.Path(t)
	dir, k := t.TempDir(), testKey(t)
	for name, data := range export(t, stagedLog(t, k)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keyFile := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(keyFile, []byte(k.VerifierKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(fsck, "-ui=false", "-storage_url", "file://"+filepath.Join(dir, "2026"),
		"-public_key", keyFile, "-origin", testLog+"/2026").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Successfully fsck'd") {
		t.Errorf("%v: %s", err, out)
	}
}

// flipByte changes a file, if it is there.
func flipByte(t *testing.T, path string, size int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		if size != 255 {
			t.Fatal(err)
		}
		return
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
