package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyFindsFlippedBits flips one bit in each file of the audit log, at its
// beginning, in its middle and at its end: verification fails with its own exit
// code and names the file.
func TestVerifyFindsFlippedBits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(jobCommand("ingest")...)
	w.must(jobCommand("purge")...)
	dir := w.settings().AuditDir()
	files := 0
	for _, path := range readableFiles(t, dir) {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) == 0 { // a lock
			continue
		}
		files++
		for _, at := range []int{0, len(whole) / 2, len(whole) - 1} {
			flipped := append([]byte(nil), whole...)
			flipped[at] ^= 1
			if err := os.WriteFile(path, flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			code, output := w.code("audit", "verify")
			name, _ := filepath.Rel(dir, path)
			if code != exitNotVerified || !strings.Contains(output, name) {
				t.Errorf("bit 0 of byte %d of %s flipped: exit code %d\n%s", at, name, code, output)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if files < 4 {
		t.Errorf("only %d files were tried", files)
	}
	w.must("audit", "verify")
}
