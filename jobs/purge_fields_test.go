package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// expiringSite keeps addresses for ten days and the length of visits for twenty; the
// records stay for longer.
func expiringSite(t *testing.T) *site {
	t.Helper()
	const was = "      - {name: ip, type: String,"
	policy := string(config.Facesoft)
	if strings.Count(policy, was) != 1 {
		t.Fatal("the policy has no such column any more")
	}
	expires := func(days int) string {
		return fmt.Sprintf("expires: {keep: P%dD, clause: C12, rationale: a test}", days)
	}
	policy = strings.Replace(policy, was, "      - {name: mouse_presses, type: Nullable(UInt16), from: properties.mouse_presses, field: visit.interaction, identifies: nobody, "+expires(20)+"}\n"+
		was+" "+expires(10)+",", 1)
	return newSite(t, []byte(policy))
}

// pressed are records of so many people on a day of January 2024, each with an address
// and presses of the mouse.
func pressed(day, people int) []byte {
	var b strings.Builder
	for n := range people {
		fmt.Fprintf(&b, `{"type":"page","messageId":"m%d-%d","userId":"user-%d","timestamp":"2024-01-%02dT10:00:00Z","properties":{"mouse_presses":5},"context":{"ip":"192.0.2.%d","page":{"url":"https://example.org/p"}}}`+"\n", day, n, n, day, n)
	}
	return []byte(b.String())
}

// filledIn says on which days how many rows have an address and presses.
func (s *site) filledIn() string {
	s.Helper()
	return fmt.Sprint(s.query("SELECT toDayOfMonth(occurred_at) AS day, count(), countIf(ip != ''), countIf(isNotNull(mouse_presses)) FROM {personal}.events GROUP BY day ORDER BY day"))
}

// Values go when their own window has passed, and the rows stay.
func TestValuesGoBeforeTheirRows(t *testing.T) {
	t.Parallel()
	s := expiringSite(t)
	s.ingest(end(1), s.write("first", pressed(1, 12)), s.write("second", pressed(2, 12)))
	for _, c := range []struct {
		at    time.Time
		steps int
		want  string
	}{
		{time.Date(2024, 1, 12, 0, 0, 0, 0, time.UTC).Add(-time.Millisecond), 0, "[[1 12 12 12] [2 12 12 12]]"},
		{time.Date(2024, 1, 12, 0, 0, 0, 0, time.UTC), 1, "[[1 12 0 12] [2 12 12 12]]"},
		{time.Date(2024, 1, 13, 0, 0, 0, 0, time.UTC), 1, "[[1 12 0 12] [2 12 0 12]]"},
		{time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC), 2, "[[1 12 0 0] [2 12 0 0]]"},
		{time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC), 0, "[[1 12 0 0] [2 12 0 0]]"},
	} {
		if report := s.purge(c.at); report.Steps != c.steps {
			t.Errorf("as of %s: %d steps, want %d", c.at, report.Steps, c.steps)
		}
		if got := s.filledIn(); got != c.want {
			t.Errorf("as of %s: %s, want %s", c.at, got, c.want)
		}
	}
	if n := s.count("SELECT count() FROM system.parts WHERE database = currentDatabase() AND NOT active"); n > 0 {
		t.Errorf("%d parts of before are on disk", n)
	}
	s.ingest(end(2), s.write("late", pressed(1, 13))) // one of them is new
	s.purge(end(2))
	if got, want := s.filledIn(), "[[1 13 0 0] [2 12 0 0]]"; got != want {
		t.Errorf("after a late record: %s, want %s", got, want)
	}
	s.anonymise(end(20))
	s.audited()
}

// The values of people under hold stay until it ends.
func TestHeldValuesStay(t *testing.T) {
	t.Parallel()
	s := expiringSite(t)
	s.ingest(end(1), s.write("first", pressed(1, 12)))
	hold := s.place(sinks.Hold{}, "user-3", "")
	for range 2 {
		s.purge(end(1))
		if got, want := s.filledIn(), "[[1 12 1 1]]"; got != want {
			t.Errorf("under hold: %s, want %s", got, want)
		}
	}
	s.release(hold)
	s.purge(end(1))
	if got, want := s.filledIn(), "[[1 12 0 0]]"; got != want {
		t.Errorf("released: %s, want %s", got, want)
	}
	s.audited()
}

// A run may be interrupted before or after it has given the order.
func TestInterruptedExpiryIsTakenUp(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"insert_seals", "clear_fields", "table_leftovers"} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			s := expiringSite(t)
			s.ingest(end(1), s.write("first", pressed(1, 12)))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := s.newWorker(func(name string) {
				if name == statement {
					cancel()
				}
			})
			if _, err := w.run(ctx, w.purgeJob(), end(1)); !errors.Is(err, context.Canceled) {
				t.Fatalf("the run was not interrupted: %v", err)
			}
			s.purge(end(1))
			if got, want := s.filledIn(), "[[1 12 0 0]]"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			s.audited()
		})
	}
}

// lockedStore notes whether others could empty columns, or read rows, meanwhile.
type lockedStore struct {
	sinks.Publisher
	sinks.PersonalTables
	locks            sinks.Locker
	staging, emptied error // of trying to
}

func (l *lockedStore) Stage(ctx context.Context, dataset string, partitions []sinks.Partition) (sinks.Staged, error) {
	l.staging = tried(ctx, l.locks.Lock, dataset)
	return l.Publisher.Stage(ctx, dataset, partitions)
}

func (l *lockedStore) Clear(ctx context.Context, dataset string, partitions []sinks.Partition, fields map[string]sinks.Day, asOf time.Time) (map[sinks.Partition]sinks.Absence, error) {
	l.emptied = tried(ctx, l.locks.RLock, dataset)
	return l.PersonalTables.Clear(ctx, dataset, partitions, fields, asOf)
}

func tried(ctx context.Context, lock func(context.Context, string) (func(), error), dataset string) error {
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	unlock, err := lock(soon, jobs.FieldsLock(dataset))
	if err == nil {
		unlock()
	}
	return err
}

// The identifiers that texts are looked through for are read by themselves: no column is
// emptied between that and the reading of the texts.
func TestNothingExpiresInWhatIsBeingAnonymised(t *testing.T) {
	t.Parallel()
	s := expiringSite(t)
	s.ingest(end(1), s.write("first", pressed(1, 12)))
	l := &lockedStore{Publisher: s.store, PersonalTables: s.store, locks: s.runner.Locks}
	purge, anonymise := s.purgeJob(), s.anonymiseJob()
	purge.Personal, anonymise.Publish = l, l
	s.must(purge, time.Date(2024, 1, 12, 0, 0, 0, 0, time.UTC))
	s.must(anonymise, end(40))
	for what, err := range map[string]error{"while rows were staged others could empty columns": l.staging, "while columns were emptied others could read rows": l.emptied} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
