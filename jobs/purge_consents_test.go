package jobs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// oneKey is the key of all ledgers.
type oneKey sinks.LedgerKey

func (k oneKey) Secret(string) (sinks.LedgerKey, error) { return sinks.LedgerKey(k), nil }
func (oneKey) Made(string) (time.Time, error)           { return time.Time{}, nil }
func (oneKey) DestroySecret(string) error               { return nil }

// TestDecisionsThatHoldNoMoreAreForgotten has decisions that later ones have replaced, a
// refusal that holds, and consents of people of whom something is held and of whom
// nothing is.
func TestDecisionsThatHoldNoMoreAreForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(consentPolicy))
	purge := s.purgeJob()
	purge.Consents, purge.Ledgers = s.store, oneKey{1}
	decisions := func() string {
		return fmt.Sprint(s.query("SELECT toUInt8(granted), toUnixTimestamp(decided_at) - toUnixTimestamp(toDateTime('2024-06-01 00:00:00', 'UTC')) FROM {control}.consents FINAL WHERE category = 'analytics' ORDER BY decided_at, granted"))
	}
	expect := func(when, want string) {
		t.Helper()
		if got := decisions(); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	at := func(n int) time.Time { return june.Add(time.Duration(n) * time.Second) }
	s.decided("user_id", "ann", "analytics", false, at(1)) // replaced by 2
	s.decided("user_id", "ann", "analytics", true, at(2))
	s.decided("user_id", "bob", "analytics", true, at(3)) // replaced by 4
	s.decided("user_id", "bob", "analytics", false, at(4))
	s.decided("user_id", "cid", "analytics", true, at(5))      // of whom nothing is held
	s.decided("anonymous_id", "ann", "analytics", true, at(6)) // another column: somebody else

	// The decisions count from when they were recorded, and that was today.
	later := time.Now().UTC().AddDate(3, 0, 2)
	seen := later.AddDate(0, 0, -10)
	s.ingest(later, s.write("seen", fmt.Appendf(nil, `{"type":"page","messageId":"1","userId":"ann","timestamp":%q,"context":{"consent":{"categoryPreferences":{"analytics":true}}}}`, seen.Format(time.RFC3339))))
	s.must(purge, later.AddDate(-1, 0, 0))
	expect("what was replaced is kept P3Y", "[[1 2] [0 4] [1 5] [1 6]]")
	hold := s.place(sinks.Hold{}, "", "")
	s.must(purge, later)
	expect("under a hold on everything", "[[1 2] [0 4] [1 5] [1 6]]")
	s.release(hold)
	report := s.must(purge, later)
	expect("in the end", "[[1 2] [0 4]]")
	forgotten := 0
	for _, o := range report.Outcomes {
		if o.Step.Action == sinks.ActionForgetConsents {
			forgotten++
			if o.Result != sinks.ResultDone || o.Counts[sinks.CountBefore] != 2 || o.Step.Rule != sinks.RuleDecided || o.Step.Clause != "C8" {
				t.Errorf("%+v", o)
			}
		}
	}
	if forgotten != 1 {
		t.Errorf("%d steps, want 1", forgotten)
	}
	if again := s.must(purge, later); again.Steps != 0 {
		t.Errorf("again: %d steps", again.Steps)
	}
	s.audited()
}
