package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// place places a hold by way of the job.
func (s *site) place(h sinks.Hold, subject, organisation string) sinks.ID {
	s.Helper()
	h.ID, h.Reason, h.PlacedBy, h.PlacedAt = sinks.NewID(), "a claim", "dpo", end(1)
	h.BySubject, h.ByOrganisation = subject != "", organisation != ""
	s.must(&jobs.HoldChange{Policy: s.policy, Register: s.store, Place: &h, Subject: subject, Organisation: organisation}, end(1))
	return h.ID
}

func (s *site) release(id sinks.ID) {
	s.Helper()
	s.must(&jobs.HoldChange{Policy: s.policy, Register: s.store, Release: id, By: "dpo"}, end(41))
}

// personalEvents lists whose events are held, by day.
func (s *site) personalEvents() string {
	s.Helper()
	return fmt.Sprint(s.query("SELECT toString(toDate(occurred_at)) AS day, arraySort(groupUniqArray(user_id)), count() FROM {personal}.events GROUP BY day ORDER BY day"))
}

func TestWhatIsUnderHoldIsLeftOutAndTakenUpAfterwards(t *testing.T) {
	t.Parallel()
	s := filled(t)
	before := s.count("SELECT count() FROM {personal}.events")
	mine := s.count("SELECT count() FROM {personal}.events WHERE user_id = 'user3'")
	hold := s.place(sinks.Hold{}, "user3", "")
	day := s.place(sinks.Hold{Dataset: "events", From: end(0).AddDate(0, 0, 2), To: end(0).AddDate(0, 0, 3)}, "", "")
	s.anonymise(end(40))
	thatDay := s.count("SELECT count() FROM {personal}.events WHERE toDate(occurred_at) = '2024-01-03'")
	if left := s.count("SELECT count() FROM {personal}.events"); left != mine-1+thatDay || thatDay != 15 {
		t.Errorf("%d rows are left, %d of the day that is held: %s", left, thatDay, s.personalEvents())
	}
	if n := s.count("SELECT count() FROM {personal}.events WHERE user_id != 'user3' AND toDate(occurred_at) != '2024-01-03'"); n > 0 {
		t.Errorf("%d rows of others are left", n)
	}
	published := s.count("SELECT count() FROM {published}.events")
	if again := s.anonymise(end(40)); again.Steps > 0 {
		t.Errorf("again: %d steps", again.Steps)
	}
	s.purge(end(40))
	if n := s.count("SELECT count() FROM {personal}.accounts WHERE user_id = 'user3'"); n == 0 {
		t.Error("the account of somebody under hold was erased")
	}
	if n := s.count("SELECT count() FROM {personal}.accounts WHERE user_id != 'user3'"); n > 0 {
		t.Errorf("%d accounts of others are left", n)
	}

	s.release(day)
	s.anonymise(end(41))
	if n := s.count("SELECT count() FROM {personal}.events WHERE user_id != 'user3'"); n > 0 {
		t.Errorf("after the release of the day %d rows of others are left", n)
	}
	s.release(hold)
	s.anonymise(end(41))
	s.purge(end(41))
	if n := s.count("SELECT count() FROM {personal}.events") + s.count("SELECT count() FROM {personal}.accounts"); n > 0 {
		t.Errorf("after the release %d rows are left", n)
	}
	if after := s.count("SELECT count() FROM {published}.events"); after < published || after > before {
		t.Errorf("%d rows were published, then %d, of %d", published, after, before)
	}
	suppressed := s.count("SELECT sum(suppressed) FROM {control}.publications FINAL WHERE dataset = 'events'")
	if got := s.count("SELECT count() FROM {published}.events"); got+suppressed != before {
		t.Errorf("%d published and %d suppressed of %d rows", got, suppressed, before)
	}
	s.pairsUp()
}

// A hold that was set an end is over then, without anybody's doing.
func TestHoldEndsByItself(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.place(sinks.Hold{Until: end(50)}, "", "")
	if r := s.anonymise(end(40)); r.Steps > 0 {
		t.Errorf("%d steps under a hold on everything", r.Steps)
	}
	// Items that are due may be hidden from those who train models, and no more.
	r, err := s.run(t.Context(), s.purgeJob(), end(40))
	if err != nil || r.Steps != countOf(r, sinks.ActionMarkItems, sinks.ActionForgetItems) || len(r.Blocked) == 0 {
		t.Errorf("%d steps under a hold on everything, %d wait: %+v: %v", r.Steps, len(r.Blocked), r.Outcomes, err)
	}
	s.anonymise(end(50))
	if n := s.count("SELECT count() FROM {personal}.events"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func countOf(r *jobs.Report, actions ...sinks.Action) (n int) {
	for _, o := range r.Outcomes {
		for _, a := range actions {
			if o.Step.Action == a {
				n++
			}
		}
	}
	return n
}

// A visitor who signs in later the same day is the person under hold.
func TestHoldExtendsToWhatIsTiedToThePerson(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	var b strings.Builder
	page := func(id, user, visitor string) {
		fmt.Fprintf(&b, `{"type":"page","messageId":%q,"userId":%q,"anonymousId":%q,"timestamp":"2024-01-01T10:00:00Z","context":{"groupId":"acme"}}`+"\n", id, user, visitor)
	}
	page("1", "", "v1")
	page("2", "u1", "v1")
	page("3", "u2", "v2")
	page("4", "", "v2")
	s.ingest(end(1), s.write("calls", []byte(b.String())))
	s.place(sinks.Hold{Dataset: "events"}, "u1", "acme")
	s.place(sinks.Hold{Dataset: "events"}, "u2", "other")
	s.anonymise(end(40))
	if got := fmt.Sprint(s.query("SELECT user_id, anonymous_id FROM {personal}.events ORDER BY 1")); got != "[[ v1] [u1 v1]]" {
		t.Errorf("held are %s", got)
	}
}

// No statement, table or log holds an identifier that a hold names.
func TestHoldsKeepNoIdentifiers(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.place(sinks.Hold{}, "user3", "organisation-of-somebody")
	for _, row := range s.query("SELECT toString(tuple(*)) FROM {control}.holds") {
		if text := row[0].(string); strings.Contains(text, "user3") || strings.Contains(text, "organisation-of") {
			t.Errorf("the register holds %s", text)
		}
	}
	held, err := s.store.HeldSubjects(t.Context(), end(40), []string{"user3", "user4"})
	if err != nil || len(held) != 1 || !held["user3"] {
		t.Errorf("held are %v: %v", held, err)
	}
}

// Training items are held because of a person in them, or the time of their upload.
func TestTrainingItemsUnderHoldAreKnown(t *testing.T) {
	t.Parallel()
	s := filled(t)
	items, err := s.store.DueItems(t.Context(), end(40), sinks.TrainingCutoffs{sinks.RulePurposeCompleted: end(40)}, sinks.ItemPage{})
	if err != nil || len(items) != 1 {
		t.Fatalf("%+v: %v", items, err)
	}
	check := func(want bool) {
		t.Helper()
		held, err := s.store.HeldItems(t.Context(), end(40), []sinks.ID{items[0].Item})
		if err != nil || held[items[0].Item] != want {
			t.Errorf("held: %v, want %t: %v", held, want, err)
		}
	}
	check(false)
	s.place(sinks.Hold{Dataset: "events"}, "user1", "")
	s.place(sinks.Hold{Dataset: "training"}, "user2", "")
	check(false)
	id := s.place(sinks.Hold{Dataset: "training"}, "user1", "")
	check(true)
	s.release(id)
	check(false)
}

// I6 and I7: whatever moment a run dies at, or another comes along at, what is held
// stays whole and once, and the rest is as if nothing had happened.
func TestHeldRowsAreSeparatedOnceWhoeverComesAlong(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) *site {
		s := filled(t)
		s.place(sinks.Hold{}, "user3", "")
		return s
	}
	state := func(s *site) string {
		return s.personalEvents() + fmt.Sprint(s.query("SELECT toString(day), lapse_batch, count(), groupBitXor(sipHash64(toString(tuple(*)))) FROM {published}.events GROUP BY 1, 2 ORDER BY 1, 2"))
	}
	alone := prepare(t)
	alone.anonymise(end(40))
	want := state(alone)
	for _, statement := range []string{"exempt", "create_separated", "separate_rows", "exchange_partition", "publish_partition", "drop_partitions"} {
		t.Run("another at "+statement, func(t *testing.T) {
			t.Parallel()
			s := prepare(t)
			second := s.newWorker(nil)
			var done atomic.Bool // batches are worked on side by side
			first := s.newWorker(func(name string) {
				if name == statement && done.CompareAndSwap(false, true) {
					if _, err := second.run(t.Context(), second.anonymiseJob(), end(40)); err != nil {
						t.Errorf("the second one: %v", err)
					}
				}
			})
			if _, err := first.run(t.Context(), first.anonymiseJob(), end(40)); err != nil {
				t.Errorf("the first one: %v", err)
			}
			if got := state(s); got != want || !done.Load() {
				t.Errorf("overtaken:\n%s\nalone:\n%s", got, want)
			}
		})
	}
	t.Run("interrupted between the exchanges", func(t *testing.T) {
		t.Parallel()
		s := prepare(t)
		ctx, cancel := withCancel(t)
		dying := s.newWorker(func(name string) {
			if name == "exchange_partition" {
				cancel()
			}
		})
		if _, err := dying.run(ctx, dying.anonymiseJob(), end(40)); err == nil {
			t.Error("it was not interrupted")
		}
		if n := s.count("SELECT count() - uniqExact(lapse_record) FROM {personal}.events"); n == 0 {
			t.Error("it was not interrupted between the exchanges")
		}
		s.anonymise(end(40))
		if got := state(s); got != want {
			t.Errorf("interrupted:\n%s\nalone:\n%s", got, want)
		}
	})
	t.Run("interrupted, and released", func(t *testing.T) {
		t.Parallel()
		s := filled(t)
		hold := s.place(sinks.Hold{}, "user3", "")
		ctx, cancel := withCancel(t)
		dying := s.newWorker(func(name string) {
			if name == "exchange_partition" {
				cancel()
			}
		})
		if _, err := dying.run(ctx, dying.anonymiseJob(), end(40)); err == nil {
			t.Error("it was not interrupted")
		}
		s.release(hold)
		s.anonymise(end(41))
		suppressed := s.count("SELECT sum(suppressed) FROM {control}.publications FINAL WHERE dataset = 'events'")
		published, personal := s.count("SELECT count() FROM {published}.events"), s.count("SELECT count() FROM {personal}.events")
		if published+suppressed != 14*someDays+someDays/2 || personal > 0 {
			t.Errorf("%d published, %d suppressed, %d personal", published, suppressed, personal)
		}
	})
}

// Organisations with a window of their own are due by that, earlier or later.
func TestOrganisationsHaveWindowsOfTheirOwn(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(string(config.Facesoft), "        keep: P13M\n", `        keep: P13M
        organisations:
          - {names: [brief], keep: P12M, clause: C12, rationale: r}
          - {names: [long, longer], keep: P24M, clause: C12, rationale: r}
`, 1)
	s := newSite(t, []byte(policy))
	var b strings.Builder
	for n, organisation := range []string{"brief", "long", "longer", "", "other"} {
		for i := range 12 {
			fmt.Fprintf(&b, `{"type":"page","messageId":"%d-%d","userId":"user%d-%d","timestamp":"2024-01-01T10:00:00Z","context":{"groupId":%q}}`+"\n", n, i, n, i, organisation)
		}
	}
	s.ingest(end(1), s.write("calls", []byte(b.String())))
	for _, c := range []struct {
		asOf      time.Time
		published int
		due       time.Time
	}{
		{end(12), 0, time.Time{}}, {end(12).AddDate(0, 0, 1), 12, end(12).AddDate(0, 0, 1)}, {end(13), 12, time.Time{}},
		{end(13).AddDate(0, 0, 1), 36, end(13).AddDate(0, 0, 1)}, {end(24), 36, time.Time{}}, {end(25), 60, end(24).AddDate(0, 0, 1)},
	} {
		report := s.anonymise(c.asOf)
		if got := s.count("SELECT count() FROM {published}.events"); got != c.published {
			t.Errorf("as of %s: %d rows are published, want %d", c.asOf, got, c.published)
		}
		if c.due.IsZero() != (report.Steps == 0) || report.Steps > 0 && !report.Outcomes[0].Step.Due.Equal(c.due) {
			t.Errorf("as of %s: %d steps, want one due since %s: %+v", c.asOf, report.Steps, c.due, report.Outcomes)
		}
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
}

func withCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
