package jobs_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

const consentGrace = 24 * time.Hour

// objects returns the keys of the site's bucket.
func (s *site) objects() map[string]bool {
	s.Helper()
	keys := map[string]bool{}
	err := s.bucket.List(s.Context(), "", func(o sinks.Object) error {
		keys[o.Key] = true
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return keys
}

// users returns the users with rows in the table of accounts.
func (s *site) users() map[string]bool {
	s.Helper()
	users := map[string]bool{}
	for _, row := range s.query("SELECT DISTINCT user_id FROM {personal}.accounts WHERE user_id != ''") {
		users[row[0].(string)] = true
	}
	return users
}

// expired returns the accounts that are due at the midnight that an as-of date is:
// closed thirty days ago, or without any activity for a year, by the clock of
// London.
func expired(truth *traffic.Truth, asOf time.Time) map[string]bool {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	midnight := asOf.In(london)
	users := map[string]bool{}
	for _, a := range truth.Accounts {
		closed := !a.Closed.IsZero() && !a.Closed.After(midnight.AddDate(0, 0, -30))
		idle := !a.LastActivity.After(midnight.AddDate(-1, 0, 0))
		if closed || idle {
			users[a.UserID] = true
		}
	}
	return users
}

// Month by month, what is purged is what the truth says is due, and nothing else.
func TestPurgeTakesWhatIsDueAndNothingElse(t *testing.T) {
	t.Parallel()
	g := company()
	s := newSite(t, config.Facesoft)
	s.receive(g, end(5))
	held := s.objects()
	purged, kept := map[string]bool{}, len(held)
	erased := 0
	for _, month := range []int{1, 2, 4, 5, 11, 18} {
		asOf := end(month)
		report := s.ingest(asOf, s.monthsBefore(asOf)...)
		quarantined := total(report).quarantined
		before := s.users()
		s.purge(asOf)

		for _, due := range g.truth.Training.DueAt(asOf, consentGrace) {
			for _, key := range append(slices.Clone(due.Item.Derivatives), due.Item.Key) {
				delete(held, key)
			}
			purged[due.Item.Key] = true
		}
		if got := s.objects(); !maps.Equal(got, held) {
			t.Errorf("%s: the bucket holds %d objects, want %d", asOf, len(got), len(held))
		}
		if stones := s.count("SELECT count() FROM {control}.tombstones FINAL"); stones != len(purged) {
			t.Errorf("%s: %d tombstones for %d purged items", asOf, stones, len(purged))
		}
		// A consent may come for an object that is gone; it is kept for another 90 days.
		for _, row := range s.query("SELECT object_key FROM {control}.training WHERE object_key != '' AND (kind = 'training_item' OR at < '" + asOf.AddDate(0, 0, -90).Format(time.DateTime) + "')") {
			if purged[row[0].(string)] {
				t.Errorf("%s: the register still knows %s", asOf, row[0])
			}
		}

		want := maps.Clone(before)
		due := expired(g.truth, asOf)
		maps.DeleteFunc(want, func(user string, _ bool) bool { return due[user] })
		if got := s.users(); !maps.Equal(got, want) {
			t.Errorf("%s: %d accounts are held of %d, want %d", asOf, len(got), len(before), len(want))
		}
		erased += len(before) - len(want)
		if n := s.count("SELECT count() FROM {control}.quarantine"); n != quarantined {
			t.Errorf("%s: %d records in quarantine, of which %d are new", asOf, n, quarantined)
		}
		if again := s.purge(asOf); again.Steps > 0 {
			t.Errorf("%s: the second purge found %d steps", asOf, again.Steps)
		}
	}
	if len(purged) < 20 || len(held) == 0 || len(held) == kept || erased < 10 {
		t.Errorf("%d items purged, %d objects of %d held, %d accounts erased: the test proves little", len(purged), len(held), kept, erased)
	}
	s.purgeIsAudited(purged)
}

// monthsBefore lists the input files of the months that had ended by a date.
func (s *site) monthsBefore(by time.Time) (paths []string) {
	s.Helper()
	all, err := filepath.Glob(filepath.Join(s.input(), "*", "2024-*"))
	if err != nil {
		s.Fatal(err)
	}
	for _, path := range all {
		month, _, _ := strings.Cut(filepath.Base(path), ".")
		if begun, err := time.Parse("2006-01", month); err == nil && !begun.AddDate(0, 1, 0).After(by) {
			paths = append(paths, path)
		}
	}
	return paths
}

// purgeIsAudited checks that each item was purged once, and that nothing in the log
// tells which object it was.
func (s *site) purgeIsAudited(purged map[string]bool) {
	s.Helper()
	done := map[sinks.ID]int{}
	for _, e := range s.audited() {
		if e.Action == sinks.ActionPurgeItem && e.Phase == sinks.Outcome && e.Result == sinks.ResultDone {
			done[e.Item]++
			if e.Counts[sinks.CountObjects] != 1 || len(e.Stages) == 0 {
				s.Errorf("%+v", e)
			}
		}
		if e.Result == sinks.ResultFailed {
			s.Errorf("%s failed with %s", e.Action, e.Error)
		}
	}
	for item, n := range done {
		if n != 1 {
			s.Errorf("the item %s was purged %d times", item, n)
		}
	}
	if len(done) != len(purged) {
		s.Errorf("the log tells of %d purged items, want %d", len(done), len(purged))
	}
}
