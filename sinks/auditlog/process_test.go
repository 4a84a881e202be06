package auditlog

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// soak reports whether the long variants of the tests are asked for.
func soak() bool { return os.Getenv("LAPSE_SOAK") != "" }

func TestProcessesAppendingAtOnceWriteOneHistory(t *testing.T) {
	t.Parallel()
	const processes = 4
	each := 250
	if soak() {
		each = 10_000
	}
	dir, k := t.TempDir(), testKey(t)
	outputs := make([]bytes.Buffer, processes)
	wait := make([]func() error, processes)
	for i := range processes {
		cmd := helper("append", dir, []*PrivateKey{k}, each)
		cmd.Stdout, cmd.Stderr = &outputs[i], os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait[i] = cmd.Wait
	}
	for _, w := range wait {
		if err := w(); err != nil {
			t.Error(err)
		}
	}
	r := mustVerify(t, ReadFolder(dir), k)
	if r.Entries != int64(processes*each) || r.Staged != 0 || len(r.Leftovers) > 0 {
		t.Errorf("%d entries, %d staged, leftovers %q; want %d", r.Entries, r.Staged, r.Leftovers, processes*each)
	}
	ids := idsOf(t, ReadFolder(dir))
	for i := range outputs {
		for _, id := range strings.Fields(outputs[i].String()) {
			if ids[id] != 1 {
				t.Fatalf("an acknowledged entry of process %d is there %d times", i, ids[id])
			}
		}
	}
	if len(ids) != processes*each {
		t.Errorf("%d different entries, want %d", len(ids), processes*each)
	}
}
