package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/keyring"
)

// erasureKeys are the keys of the site's erasure ledger.
func (s *site) erasureKeys() jobs.ErasureKeys {
	s.Helper()
	f, err := keyring.Open(filepath.Join(s.dir, "erasure-keys"))
	if err != nil {
		s.Fatal(err)
	}
	return jobs.ErasureKeys{Policy: s.policy, Keyring: f}
}

func (w *worker) subjectJob() *jobs.Subject {
	return &jobs.Subject{
		Policy: w.site.policy, Register: w.store, Tables: w.store, Training: w.store, Ledger: w.store,
		Keys: w.site.erasureKeys(), Locks: w.runner.Locks, By: "dpo",
	}
}

func (w *worker) sweepJob() *jobs.Sweep {
	return &jobs.Sweep{Policy: w.site.policy, Tables: w.store, Keys: w.site.erasureKeys(), Locks: w.runner.Locks}
}

func (w *worker) gatedIngest(paths ...string) *jobs.Ingest {
	job := w.ingestJob(paths...)
	job.Gate = w.site.gate(1000)
	return job
}

// ask enters accepted requests of a right, one for each person named by user ids, as
// they resolve.
func (s *site) ask(at time.Time, users ...string) []sinks.ID {
	s.Helper()
	people := make([]sinks.Person, len(users))
	for i, user := range users {
		people[i] = sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user_id", Text: user}}}
	}
	resolved, err := jobs.ResolvePeople(s.Context(), s.policy, s.store, people)
	if err != nil {
		s.Fatal(err)
	}
	change := &jobs.RequestChange{Policy: s.policy, Register: s.store}
	ids := make([]sinks.ID, len(users))
	for i, p := range resolved {
		ids[i] = p.ID
		change.People = append(change.People, p.Person())
		change.New = append(change.New, sinks.Request{ID: p.ID, Right: sinks.RightErasure, Received: at, History: []sinks.RequestNote{
			{Request: p.ID, Event: sinks.RequestReceived, At: at, By: "dpo"}, {Request: p.ID, Event: sinks.RequestAccepted, At: at, By: "dpo"},
		}})
	}
	s.must(change, at)
	return ids
}

// erase carries out what was accepted: a run enters it, another deletes.
func (s *site) erase(asOf time.Time) *jobs.Report {
	s.Helper()
	s.must(s.subjectJob(), asOf)
	report, err := s.run(s.Context(), s.subjectJob(), asOf)
	if err != nil {
		s.Fatal(err)
	}
	return report
}

func (s *site) states(ids []sinks.ID) (states []sinks.RequestEvent) {
	s.Helper()
	for _, id := range ids {
		r, err := s.store.Requests(s.Context(), id)
		if err != nil || len(r) != 1 {
			s.Fatalf("%d requests: %v", len(r), err)
		}
		if state := r[0].State(); !slices.Contains(states, state) {
			states = append(states, state)
		}
	}
	return states
}

// rowsOf counts what there is of user ids, in all tables.
func (s *site) rowsOf(users ...string) (n int) {
	s.Helper()
	list := "'" + strings.Join(users, "','") + "'"
	for _, table := range []string{"events", "accounts", "enquiries"} {
		n += s.count(fmt.Sprintf("SELECT count() FROM {personal}.%s WHERE user_id IN (%s) OR anonymous_id IN (%s)", table, list, list))
	}
	return n
}

// A month of a few people: visits before and after signing in, accounts, an unreadable
// record, and a picture.
func month() []byte {
	var b bytes.Buffer
	for day := range 20 {
		for n := range 6 {
			at := end(0).AddDate(0, 0, day).Add(time.Duration(n) * time.Hour).Format(time.RFC3339)
			user := fmt.Sprintf(`"userId":"person-%d",`, n)
			if day%3 == 0 {
				user = "" // known by the visitor's id alone
			}
			fmt.Fprintf(&b, `{"type":"page","messageId":"p-%d-%d",%s"anonymousId":"visitor-%d","timestamp":%q}`+"\n", day, n, user, n, at)
			if day == 1 {
				fmt.Fprintf(&b, `{"type":"identify","messageId":"i-%d","userId":"person-%d","timestamp":%q,"traits":{"email":"person-%d@example.org"}}`+"\n", n, n, at, n)
				fmt.Fprintf(&b, `{"type":"page","messageId":"q-%d","userId":"person-%d","timestamp":"never"}`+"\n", n, n)
			}
		}
	}
	return b.Bytes()
}

func (s *site) withMonth() {
	s.Helper()
	s.must(s.gatedIngest(s.write("calls", month())), end(1))
}

func TestErasedPeopleAreGoneAndStayGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.withMonth()
	ahead := `{"type":"page","messageId":"ahead","userId":"person-1","timestamp":"2024-02-01T10:00:00Z"}` + "\n" // of a clock that is ahead
	s.must(s.gatedIngest(s.write("ahead", []byte(ahead))), end(1))
	others := s.count("SELECT count() FROM {personal}.events WHERE anonymous_id NOT IN ('visitor-1', 'visitor-2') AND user_id != 'person-1'")
	ids := s.ask(end(1), "person-1", "person-2")
	report := s.erase(end(1))
	if got := s.states(ids); !slices.Equal(got, []sinks.RequestEvent{sinks.RequestDone}) {
		t.Errorf("the requests are %v: %+v", got, report)
	}
	if n := s.rowsOf("person-1", "person-2", "visitor-1", "visitor-2"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != 4 {
		t.Errorf("%d records are in the quarantine, want those of 4 others", n)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n != others {
		t.Errorf("%d rows of others are left, of %d", n, others)
	}
	if n := s.count("SELECT count() FROM {control}.request_people"); n > 0 {
		t.Errorf("%d identifiers of requests are left", n)
	}
	if n := s.count("SELECT uniqExact(mutation_id) FROM system.mutations WHERE database = '" + s.options.Databases.Telemetry + "' AND table = 'events'"); n != 1 {
		t.Errorf("%d mutations of events", n)
	}
	if n := s.count("SELECT countIf(match(command, 'person|visitor')) FROM system.mutations WHERE startsWith(database, '" + strings.TrimSuffix(s.options.Databases.Control, "lapse") + "')"); n != 0 {
		t.Errorf("%d mutations name somebody", n)
	}
	for _, table := range []string{"requests", "request_notes", "request_people", "erasures"} {
		if n := s.count("SELECT countIf(match(toString(tuple(*)), 'person-[12]|visitor-[12]')) FROM {control}." + table); n != 0 {
			t.Errorf("%s names somebody in %d rows", table, n)
		}
	}
	// Late and repeated events are refused; what comes after a new sign-up is kept.
	late := `{"type":"page","messageId":"late","userId":"person-1","timestamp":"2024-01-20T10:00:00Z"}
{"type":"page","messageId":"anew","userId":"person-1","anonymousId":"visitor-new","timestamp":"2024-02-20T10:00:00Z"}
`
	c := s.must(s.gatedIngest(s.write("late", append([]byte(late), month()...))), end(2)).Outcomes[0].Counts
	if c["refused_erased"] != 1+2*20+2 || c["stored"] != 1 {
		t.Errorf("afterwards: %v", c)
	}
	if r := s.must(s.sweepJob(), end(2)); r.Steps != 0 || s.rowsOf("person-1") != 1 {
		t.Errorf("a sweep took %d steps, and %d rows are left of the person's new life", r.Steps, s.rowsOf("person-1"))
	}
	s.pairsUp()
}

func backup(table string) string {
	_, name, _ := strings.Cut(table, ".")
	return "{personal}.backup_" + name
}

// A restored backup brings rows back; a sweep finds them by hashes alone.
func TestSweepErasesWhatCameBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.withMonth()
	for _, table := range []string{"{personal}.events", "{personal}.accounts", "{control}.quarantine"} {
		s.execute("CREATE TABLE " + backup(table) + " AS " + table)
		s.execute("INSERT INTO " + backup(table) + " SELECT * FROM " + table)
	}
	s.ask(end(1), "person-1", "person-4")
	s.erase(end(1))
	want := s.state()
	for _, table := range []string{"{personal}.events", "{personal}.accounts", "{control}.quarantine"} {
		s.execute("INSERT INTO " + table + " SELECT * FROM " + backup(table) + " WHERE lapse_record NOT IN (SELECT lapse_record FROM " + table + ")")
	}
	if s.rowsOf("person-1", "visitor-4") == 0 {
		t.Fatal("the backup was not restored")
	}
	s.must(s.sweepJob(), end(2))
	if got := s.state(); got != want {
		t.Errorf("after the sweep:\n%s\nwant:\n%s", difference(got, want), difference(want, got))
	}
	s.pairsUp()
}

// What is under hold stays, the rest goes; after the release it goes, too, without
// anybody's asking again.
func TestErasureWaitsForAHoldAndGoesOnAfterwards(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.withMonth()
	hold := s.place(sinks.Hold{Dataset: "accounts"}, "person-3", "")
	ids := s.ask(end(1), "person-3", "person-5")
	s.erase(end(1))
	if n := s.rowsOf("person-3", "visitor-3", "person-5"); n != 1 {
		t.Errorf("%d rows are left, want the account under hold", n)
	}
	if a, b := s.states(ids[:1])[0], s.states(ids[1:])[0]; a != sinks.RequestExecuting || b != sinks.RequestDone {
		t.Errorf("the requests are %s and %s", a, b)
	}
	if r := s.must(s.subjectJob(), end(2)); r.Steps != 0 {
		t.Errorf("%d steps while the hold lasts", r.Steps)
	}
	s.release(hold)
	s.must(s.subjectJob(), end(41))
	if n, state := s.rowsOf("person-3"), s.states(ids[:1])[0]; n != 0 || state != sinks.RequestDone {
		t.Errorf("after the release %d rows are left, and the request is %s", n, state)
	}
	s.pairsUp()
}

// An id that two people have used is nobody's: it is shown and left out. Who is named by
// an address is known by it if nobody else has it.
func TestIdentifiersAreResolvedWithoutTakingOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	lines := `{"type":"page","messageId":"1","userId":"u1","anonymousId":"own","timestamp":"2024-01-02T10:00:00Z"}
{"type":"page","messageId":"2","userId":"u1","anonymousId":"shared","timestamp":"2024-01-02T10:00:00Z"}
{"type":"page","messageId":"3","userId":"u2","anonymousId":"shared","timestamp":"2024-01-02T11:00:00Z"}
{"type":"identify","messageId":"4","userId":"u1","timestamp":"2024-01-02T10:00:00Z","traits":{"email":"a@example.org"}}
{"type":"identify","messageId":"5","userId":"u2","timestamp":"2024-01-02T10:00:00Z","traits":{"email":"b@example.org"}}
{"type":"identify","messageId":"6","userId":"u3","timestamp":"2024-01-02T10:00:00Z","traits":{"email":"b@example.org"}}
`
	s.ingest(end(1), s.write("calls", []byte(lines)))
	resolve := func(column, text string) string {
		p := sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: column, Text: text}}}
		r, err := jobs.ResolvePeople(t.Context(), s.policy, s.store, []sinks.Person{p})
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for _, i := range r[0].Identifiers {
			fmt.Fprintf(&b, "%s=%s(%s,%v) ", i.Column, i.Text, i.How, i.Shared)
		}
		return strings.TrimSpace(b.String())
	}
	for _, c := range []struct{ column, text, want string }{
		{"user_id", "u1", "anonymous_id=own(beside user_id,false) anonymous_id=shared(beside user_id,true) user_id=u1(named,false)"},
		{"anonymous_id", "own", "anonymous_id=own(named,false) anonymous_id=shared(beside user_id,true) user_id=u1(beside anonymous_id,false)"},
		{"anonymous_id", "shared", "anonymous_id=shared(named,false) user_id=u1(beside anonymous_id,true) user_id=u2(beside anonymous_id,true)"},
		{"email", "a@example.org", "anonymous_id=own(beside user_id,false) anonymous_id=shared(beside user_id,true) user_id=u1(beside email,false)"},
		{"email", "b@example.org", "several people have it: 2 different user_id stand beside the email; name the one that is meant"},
		{"user_id", "nobody", "user_id=nobody(named,false)"},
	} {
		if got := resolve(c.column, c.text); got != c.want {
			t.Errorf("%s=%s: %s\nwant %s", c.column, c.text, got, c.want)
		}
	}
}

// Alias calls tie people to the names that they had before, as visitors or as users; a name
// that two have come from is nobody's.
func TestFormerNamesOfPeopleAreFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	lines := `{"type":"alias","messageId":"1","userId":"new","previousId":"old","timestamp":"2024-01-02T10:00:00Z"}
{"type":"page","messageId":"2","userId":"old","anonymousId":"browser","timestamp":"2024-01-01T10:00:00Z"}
{"type":"alias","messageId":"3","userId":"new","previousId":"visitor","timestamp":"2024-01-02T11:00:00Z"}
{"type":"page","messageId":"4","anonymousId":"visitor","timestamp":"2024-01-01T10:00:00Z"}
{"type":"alias","messageId":"5","userId":"one","previousId":"guest","timestamp":"2024-01-02T10:00:00Z"}
{"type":"alias","messageId":"6","userId":"two","previousId":"guest","timestamp":"2024-01-02T10:00:00Z"}
{"type":"page","messageId":"7","userId":"guest","timestamp":"2024-01-01T10:00:00Z"}
{"type":"identify","messageId":"8","userId":"three","anonymousId":"four","timestamp":"2024-01-02T10:00:00Z"}
{"type":"page","messageId":"9","userId":"four","timestamp":"2024-01-01T10:00:00Z"}
`
	s.ingest(end(1), s.write("calls", []byte(lines)))
	for user, want := range map[string][]string{
		"new": {"anonymous_id=browser", "anonymous_id=old", "anonymous_id=visitor", "user_id=new", "user_id=old", "user_id=visitor"},
		"old": {"anonymous_id=browser", "anonymous_id=old", "anonymous_id=visitor", "user_id=new", "user_id=old", "user_id=visitor"},
		"one": {"user_id=one"}, "guest": {"user_id=guest"},
		"three": {"anonymous_id=four", "user_id=three"}, // of other calls an anonymous id is no user's
	} {
		p := sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user_id", Text: user}}}
		r, err := jobs.ResolvePeople(t.Context(), s.policy, s.store, []sinks.Person{p})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range r[0].Person().Identifiers {
			got = append(got, i.Column+"="+i.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", user, got, want)
		}
	}
}

// While files are being read somebody is erased. No group that was admitted before is
// stored after the rows were looked for.
func TestErasureBesideIngestLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	var b bytes.Buffer
	for n := range 250_000 {
		fmt.Fprintf(&b, `{"type":"page","messageId":"m%d","userId":"u-%d","timestamp":%q}`+"\n", n, n%50, end(0).Add(time.Duration(n%10_000)*time.Minute).Format(time.RFC3339))
	}
	path := s.write("calls", b.Bytes())
	begun, once := make(chan struct{}), sync.Once{}
	w := s.newWorker(func(statement string) {
		if statement == "insert_block" {
			once.Do(func() { close(begun) })
		}
	})
	w.runner.Locks = s.runner.Locks
	var ingested sync.WaitGroup
	defer ingested.Wait()
	ingested.Go(func() {
		job := w.ingestJob(path)
		job.Gate = s.gate(1000)
		if _, err := w.run(context.Background(), job, end(1)); err != nil {
			t.Errorf("ingest: %v", err)
		}
	})
	<-begun
	ids := s.ask(end(1), "u-7")
	s.erase(end(1))
	if n := s.rowsOf("u-7"); n > 0 {
		t.Errorf("%d rows were stored after the erasure", n)
	}
	ingested.Wait()
	if n, state := s.rowsOf("u-7"), s.states(ids)[0]; n > 0 || state != sinks.RequestDone {
		t.Errorf("in the end %d rows are there, and the request is %s", n, state)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n != 245_000 {
		t.Errorf("%d rows of others are there", n)
	}
	s.pairsUp()
}

// Three workers without each other's locks carry out the same requests: one outcome.
func TestErasureBesideItselfEndsAsAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.withMonth()
	ids := s.ask(end(1), "person-1", "person-2", "person-3")
	var group sync.WaitGroup
	for range 3 {
		w := s.newWorker(nil)
		group.Go(func() {
			for range 4 {
				if r, err := w.run(context.Background(), w.subjectJob(), end(1)); err != nil {
					t.Errorf("one of them: %v", err)
				} else if r.Steps == 0 {
					return
				}
			}
		})
	}
	group.Wait()
	if n, states := s.rowsOf("person-1", "person-2", "person-3", "visitor-1"), s.states(ids); n > 0 || len(states) != 1 || states[0] != sinks.RequestDone {
		t.Errorf("%d rows are left, the requests are %v", n, states)
	}
	s.pairsUp()
}

func TestErasureTakesTrainingItemsThroughTheirRule(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.receive(handful(3), end(1))
	s.must(s.gatedIngest(s.input()), end(1))
	id := s.ask(end(1), "user1")
	s.must(s.subjectJob(), end(1))
	report, err := s.run(t.Context(), s.subjectJob(), end(1))
	if err != nil || len(report.Blocked) != 1 || !strings.Contains(report.Blocked[0].Blocked, "1 training items") {
		t.Errorf("waiting: %+v: %v", report.Blocked, err)
	}
	purged := s.purge(end(1))
	if !slices.ContainsFunc(purged.Outcomes, func(o jobs.Outcome) bool {
		return o.Step.Action == sinks.ActionPurgeItem && o.Step.Rule == sinks.RuleErasure
	}) {
		t.Errorf("no item was purged for the erasure: %+v", purged.Outcomes)
	}
	s.must(s.subjectJob(), end(1))
	if state := s.states(id)[0]; state != sinks.RequestDone {
		t.Errorf("the request is %s", state)
	}
}
