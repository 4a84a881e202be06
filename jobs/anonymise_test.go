package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// someDays are how many days a filled site has rows of.
const someDays = 12

// filled is a site that has taken in a few records on each of some days.
func filled(t *testing.T) *site {
	t.Helper()
	s := newSite(t, config.Facesoft)
	s.receive(handful(someDays), end(1))
	s.ingest(end(1), s.input())
	return s
}

// eventsDue is when the window of the nth day's events has passed, by the clock of
// London, where it is winter.
func eventsDue(day int) time.Time { return end(0).AddDate(0, 13, day) }

func TestAnonymiseEndsAlikeInWhateverOrderItIsRun(t *testing.T) {
	t.Parallel()
	once := filled(t)
	once.anonymise(end(40))
	want := once.state()
	for name, dates := range map[string][]time.Time{
		"in order":           {eventsDue(3), eventsDue(9), eventsDue(9), eventsDue(11), end(40), end(40)},
		"backwards":          {eventsDue(11), eventsDue(9), eventsDue(3), end(40)},
		"early, late, early": {end(1), end(40), eventsDue(3)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := filled(t)
			latest := time.Time{}
			for _, asOf := range dates {
				report := s.anonymise(asOf)
				if !asOf.After(latest) && (report.Steps > 0 || report.Result != sinks.ResultUnchanged) {
					t.Errorf("as of %s, after %s: %d steps, %s", asOf, latest, report.Steps, report.Result)
				}
				if asOf.After(latest) {
					latest = asOf
				}
				s.holdsWhatIsNotDue(latest)
			}
			if got := s.state(); got != want {
				t.Errorf("in the end:\n%s\nat once:\n%s", got, want)
			}
			s.audited()
		})
	}
}

// holdsWhatIsNotDue checks that the personal events are those of the days whose
// window has not passed.
func (s *site) holdsWhatIsNotDue(asOf time.Time) {
	s.Helper()
	due := 0
	for due < someDays && !eventsDue(due+1).After(asOf) {
		due++
	}
	days := s.query("SELECT toString(min(toDate(occurred_at))), uniqExact(toDate(occurred_at)) FROM {personal}.events")[0]
	if days[1] != uint64(someDays-due) || due < someDays && days[0] != end(0).AddDate(0, 0, due).Format(time.DateOnly) {
		s.Errorf("as of %s: %v days from %v on are held, want %d", asOf, days[1], days[0], someDays-due)
	}
}

// The window of a day has passed at an instant, and not a moment earlier.
func TestDayIsDueWhenItsWindowHasPassed(t *testing.T) {
	t.Parallel()
	s := filled(t)
	for _, c := range []struct {
		asOf time.Time
		days int
	}{
		{eventsDue(1).Add(-time.Millisecond), 0}, {eventsDue(1), 1}, {eventsDue(2).Add(-time.Millisecond), 0}, {eventsDue(4), 3},
	} {
		report := s.anonymise(c.asOf)
		days := 0
		for _, o := range report.Outcomes {
			if o.Step.Dataset == "events" {
				days++
			}
		}
		if days != c.days {
			t.Errorf("as of %s: %d days, want %d", c.asOf, days, c.days)
		}
	}
}

// Rows that come for a day that is published go out by themselves, and do not take
// with them what is there.
func TestLateRowsArePublishedAsABatchOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	day := func(from, people int) []byte {
		var b strings.Builder
		for n := range people {
			fmt.Fprintf(&b, `{"type":"page","messageId":"m%d","userId":"user-%d","timestamp":"2024-01-01T10:00:00Z","context":{"page":{"url":"https://example.org/p"}}}`+"\n", from+n, from+n)
		}
		return []byte(b.String())
	}
	published := func() string {
		return fmt.Sprint(s.query("SELECT lapse_batch, count() FROM {published}.events GROUP BY 1 ORDER BY 1"))
	}
	s.ingest(end(1), s.write("first", day(0, 12)))
	s.anonymise(end(20))
	for _, c := range []struct {
		file         string
		from, people int
		want         string
	}{
		{"too few", 100, 5, "[[0 12]]"}, // k is 10
		{"enough", 200, 11, "[[0 12] [2 11]]"},
		{"enough again", 300, 10, "[[0 12] [2 11] [3 10]]"},
	} {
		s.ingest(end(20), s.write(c.file, day(c.from, c.people)))
		report := s.anonymise(end(20))
		if len(report.Outcomes) != 1 || report.Outcomes[0].Counts[sinks.CountBefore] != uint64(c.people) {
			t.Errorf("%s: %+v", c.file, report.Outcomes)
		}
		if got := published(); got != c.want {
			t.Errorf("%s: published %s, want %s", c.file, got, c.want)
		}
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

// A part that somebody has put aside holds rows: its day waits, and the run says so.
func TestDayWithADetachedPartWaits(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.execute("ALTER TABLE {personal}.events DETACH PARTITION ID '20240105-0'")
	for range 2 {
		report, err := s.run(t.Context(), s.anonymiseJob(), end(40))
		if err != nil || len(report.Blocked) != 1 || !strings.Contains(report.Blocked[0].Blocked, "DROP DETACHED PARTITION") {
			t.Fatalf("%+v: %v", report.Blocked, err)
		}
	}
	s.execute("ALTER TABLE {personal}.events ATTACH PARTITION ID '20240105-0'")
	s.anonymise(end(40))
	once := filled(t)
	once.anonymise(end(40))
	if got, want := s.state(), once.state(); got != want {
		t.Errorf("after it was attached:\n%s\nwithout:\n%s", got, want)
	}
}
