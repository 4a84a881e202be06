//go:build failpoints

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// annsRecords are an account, a visit, and a picture of one person's.
const annsRecords = `{"type":"identify","messageId":"1","userId":"ann","timestamp":"2026-01-10T10:00:00Z","traits":{"email":"ann@exmple.org"}}
{"type":"page","messageId":"2","userId":"ann","anonymousId":"a-ann","name":"Home","timestamp":"2026-01-11T10:00:00Z"}
`

// rightsKilled are the commands of the rights other than erasure, with the boundaries of
// their own at which a process may die.
var rightsKilled = []struct {
	right      string
	args       []string
	boundaries []string
}{
	{"access", nil, nil},
	{"portability", nil, nil},
	{"rectification", []string{"rectify", "--set", "email=ann@example.org"}, []string{"rectify.intent", "rectify.executed", "rectify.outcome"}},
	{"restriction", []string{"restrict"}, []string{"hold.intent", "hold.executed", "hold.outcome"}},
	{"objection", []string{"object"}, []string{"consent.intent", "consent.executed", "consent.outcome"}},
	{"withdrawal", []string{"withdraw"}, []string{"ingest.pending", "ingest.stored", "ingest.executed"}},
	{"explanation", []string{"explain"}, nil},
}

// effect describes what the rights bring about. Times and random ids are left out.
func (w *world) effect() string {
	w.t.Helper()
	var b strings.Builder
	w.read(`SELECT * FROM (SELECT 'e-mail' AS what, toString(groupArray(email)) FROM telemetry.accounts
		UNION ALL SELECT 'holds', toString(count()) FROM lapse.holds FINAL WHERE released_by = ''
		UNION ALL SELECT 'consents', toString(arraySort(groupArray(concat(category, toString(granted))))) FROM lapse.consents FINAL
		UNION ALL SELECT 'training consents', toString(count()) FROM lapse.training WHERE kind = 'training_consent'
		UNION ALL SELECT 'people', toString(count()) FROM lapse.request_people
		UNION ALL SELECT 'terms', toString(count()) FROM lapse.request_terms
		) ORDER BY what`, func(scan func(...any) error) error {
		var what, text string
		err := scan(&what, &text)
		_, _ = fmt.Fprintln(&b, what, text)
		return err
	})
	copies, err := filepath.Glob(filepath.Join(w.dir, "data", "exports", "*.zip"))
	if err != nil {
		w.t.Fatal(err)
	}
	unfinished, err := filepath.Glob(filepath.Join(w.dir, "data", "exports", ".new-*"))
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = fmt.Fprintln(&b, len(copies), "copies", len(unfinished), "unfinished")
	return b.String()
}

// TestKilledWhileAnswering kills the answer to each right at its boundaries: the next
// run for data subjects ends it, in the state of an answer that was not disturbed.
func TestKilledWhileAnswering(t *testing.T) {
	t.Parallel()
	before := newInstallation(t)
	records := filepath.Join(before.dir, "january.ndjson")
	if err := os.WriteFile(records, []byte(annsRecords), 0o600); err != nil {
		t.Fatal(err)
	}
	before.must("run", "ingest", "--as-of", "2026-02-01", records)
	for _, c := range rightsKilled {
		args := c.args
		if args == nil {
			args = []string{c.right}
		}
		args = append([]string{"subject"}, append(args, "--subject", "user_id=ann")...)
		t.Run(c.right, func(t *testing.T) {
			undisturbed := before.copy(t)
			undisturbed.keepEngine()
			undisturbed.must(args...)
			want := undisturbed.effect()
			for i, failpoint := range append(c.boundaries, "subject.answered", "request.ended", "subject.intent", "subject.noted", "subject.executed") {
				t.Run(failpoint, func(t *testing.T) {
					if os.Getenv("LAPSE_SOAK") == "" && c.right != "access" && i != len(c.boundaries)/2 {
						t.Skip("a long run takes it: it is much the same for all rights")
					}
					t.Parallel()
					w := before.copy(t)
					if os.Getenv("LAPSE_SOAK") == "" {
						w.keepEngine()
					}
					killed := w.command(args...)
					killed.Env = append(os.Environ(), "LAPSE_FAILPOINT="+failpoint)
					out, err := killed.CombinedOutput()
					var exit *exec.ExitError
					if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
						t.Fatalf("lapse %s was not killed at %s: %v\n%s", strings.Join(args, " "), failpoint, err, out)
					}
					w.must("run", "subject")
					if listed := w.must("subject", "list", "--all"); strings.Count(listed, c.right+"\tdone") != 1 {
						t.Errorf("after a kill and a run:\n%s", listed)
					}
					if got := w.effect(); got != want {
						t.Errorf("after a kill and a run:\n%s\nundisturbed:\n%s", got, want)
					}
					if verified := w.must("audit", "verify"); strings.Contains(verified, "have not ended") {
						t.Errorf("steps are open:\n%s", verified)
					}
				})
			}
		})
	}
}
