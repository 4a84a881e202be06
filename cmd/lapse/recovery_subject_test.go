//go:build failpoints

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// subjectFailpoints are the boundaries of an erasure at which a process may die.
var subjectFailpoints = []string{
	"subject.announced", "subject.planned", "subject.intent", "subject.entered", "subject.awaited", "subject.mutated",
	"subject.erased", "subject.noted", "subject.executed", "subject.outcome", "subject.ended",
}

// newErasure makes an installation in which ten people have asked to be erased, and
// returns their identifiers.
func newErasure(t *testing.T) (w *world, people []string) {
	t.Helper()
	if w = newBusyDays(t); os.Getenv("LAPSE_SOAK") != "" {
		w = newWorld(t) // a month of partitions
	}
	w.must(jobCommand("ingest")...)
	people = w.somePeople()
	path := filepath.Join(w.dir, "people.txt")
	if err := os.WriteFile(path, []byte("user_id="+strings.Join(people, "\nuser_id=")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("subject", "erase", "--subjects-file", path, "--later", "--yes")
	w.makeErasureKey()
	return w, people
}

// makeErasureKey makes the key that the erasure ledger would have from the first erasure
// on, so that copies of the installation have the same one.
func (w *world) makeErasureKey() {
	w.t.Helper()
	i, err := w.opener().open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	keys, err := i.erasureKeys()
	if err != nil {
		w.t.Fatal(err)
	}
	at, err := time.Parse(time.DateOnly, expired)
	if err == nil {
		_, err = keys.At(at)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// somePeople returns some who have records and are in no picture.
func (w *world) somePeople() (people []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	i, err := w.opener().open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	rows, err := connect(w.t, i).Query(ctx, `SELECT DISTINCT user_id FROM telemetry.events
		WHERE user_id != '' AND user_id NOT IN (SELECT arrayJoin(JSONExtract(subjects, 'Array(String)')) FROM lapse.training)
		ORDER BY user_id LIMIT 10`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read only
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		people = append(people, id)
	}
	if len(people) < 10 {
		w.t.Fatalf("only %d people have records and are in no picture", len(people))
	}
	return people
}

// TestKilledWhileErasing kills an erasure at each of its boundaries and runs it again:
// the state is the same as if nothing had happened (I7).
func TestKilledWhileErasing(t *testing.T) {
	t.Parallel()
	before, _ := newErasure(t)
	killedEverywhere(t, before, "subject", subjectFailpoints, (*world).state)
}

// TestKilledWhileDestroyingALedgerKey kills the destruction of the erasure ledger's key,
// years after the last erasure that it stands for.
func TestKilledWhileDestroyingALedgerKey(t *testing.T) {
	t.Parallel()
	before, _ := newErasure(t)
	before.replace("policy.yaml", "requests: {clause: C15,", "requests: {clause: C15, erasures: P6Y,")
	before.must(jobCommand("subject")...)
	keys := func(w *world) string {
		files, err := filepath.Glob(filepath.Join(w.dir, "data", "keys", "erasures", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(files, "\n")
	}
	if keys(before) == "" {
		t.Fatal("erasures have no key")
	}
	after := killedEverywhere(t, before, "destroy", []string{"subject.intent", "key.destroyed", "subject.executed", "subject.outcome"},
		func(w *world) string { return w.state() + keys(w) })
	if left := keys(after); left != "" {
		t.Errorf("left of the key: %s", left)
	}
}

// TestThreeErasuresAtOnce runs three processes on the same requests.
func TestThreeErasuresAtOnce(t *testing.T) {
	t.Parallel()
	alone, _ := newErasure(t)
	together := alone.copy(t)
	alone.must(jobCommand("subject")...)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if out, err := together.command(jobCommand("subject")...).CombinedOutput(); err != nil {
				t.Errorf("lapse run subject: %v\n%s", err, out)
			}
		})
	}
	all.Wait()
	if got, want := together.state(), alone.state(); got != want {
		t.Errorf("three at once:\n%s\none:\n%s", got, want)
	}
}

// TestRestoredBackupBringsNobodyBack restores yesterday's ClickHouse, its ledger of that
// day included, reads the old files again, and sweeps.
func TestRestoredBackupBringsNobodyBack(t *testing.T) {
	t.Parallel()
	w, people := newErasure(t)
	backup := filepath.Join(t.TempDir(), "clickhouse")
	copyTree(t, filepath.Join(w.dir, "data", "clickhouse"), backup)
	w.must(jobCommand("subject")...)
	left := w.rowsOf(people)
	if left != 0 {
		t.Fatalf("after the erasure %d rows are left", left)
	}
	live := filepath.Join(w.dir, "data", "clickhouse")
	if err := os.RemoveAll(live); err != nil {
		t.Fatal(err)
	}
	copyTree(t, backup, live)
	if w.rowsOf(people) == 0 {
		t.Fatal("the backup holds none of the people")
	}
	// Files that are read before the sweep are held against the ledger's copy.
	late := filepath.Join(w.dir, "late.ndjson")
	line := `{"type":"page","messageId":"late","userId":"` + people[0] + `","timestamp":"2024-01-15T10:00:00Z"}` + "\n"
	if err := os.WriteFile(late, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := w.must("run", "ingest", "--output", "json", late); !strings.Contains(out, `"refused_erased": 1`) {
		t.Errorf("a late event was taken in: %s", out)
	}
	w.must("run", "sweep")
	w.must(append(jobCommand("ingest"), "--timeout", "5m")...)
	if left := w.rowsOf(people); left != 0 {
		t.Errorf("after a restored backup, a sweep and all files read again %d rows are there", left)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// rowsOf counts the rows of people in all datasets.
func (w *world) rowsOf(people []string) (n uint64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	i, err := w.opener().open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	c := connect(w.t, i)
	for _, table := range []string{"events", "accounts", "enquiries"} {
		var some uint64
		if err := c.QueryRow(ctx, "SELECT count() FROM telemetry."+table+" WHERE user_id IN ('"+strings.Join(people, "','")+"')").Scan(&some); err != nil {
			w.t.Fatal(err)
		}
		n += some
	}
	return n
}
