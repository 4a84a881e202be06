package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// visit is a page call of somebody on a day.
func visit(id, user, day string) string {
	return fmt.Sprintf(`{"type":"page","messageId":%q,"userId":%q,"timestamp":"%sT10:00:00Z"}`+"\n", id, user, day)
}

// Who was erased in one year is forgotten when the policy's window since that year has
// passed; who was erased since is still refused, and found by a sweep.
func TestOldErasuresAgeOutWhileNewerOnesProtect(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(strings.Replace(string(config.Facesoft), "requests: {clause: C15,", "requests: {clause: C15, erasures: P2Y,", 1)))
	in := func(year int) time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
	refused := func(name string, asOf time.Time, lines ...string) (refused, stored uint64) {
		c := s.must(s.gatedIngest(s.write(name, []byte(strings.Join(lines, "")))), asOf).Outcomes[0].Counts
		return c[sinks.CountRefusedErased], c[sinks.CountStored]
	}
	s.must(s.gatedIngest(s.write("calls", []byte(visit("1", "ann", "2024-05-01")+visit("2", "bob", "2024-05-01")))), in(2024))
	s.ask(in(2024), "ann")
	s.erase(in(2024))
	s.ask(in(2026), "bob")
	s.erase(in(2026))
	if n, _ := refused("both", in(2026), visit("3", "ann", "2024-05-02"), visit("4", "bob", "2024-05-02")); n != 2 {
		t.Errorf("%d records of two erased people were refused", n)
	}
	// The year 2024 ended two years before 2027 began.
	destroyed := func(asOf time.Time) (first []string) {
		for _, o := range s.must(s.subjectJob(), asOf).Outcomes {
			if o.Step.Action == sinks.ActionDestroyKey {
				first = append(first, o.Step.Partition.Day.String())
				if o.Result != sinks.ResultDone || o.Step.Clause != "C15" || len(o.Stages) != 2 {
					t.Errorf("%+v", o)
				}
			}
		}
		return first
	}
	due := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := destroyed(due.Add(-time.Second)); got != nil {
		t.Errorf("keys of %v were destroyed early", got)
	}
	if got := destroyed(due); !slices.Equal(got, []string{"2024-01-01"}) {
		t.Errorf("keys of %v were destroyed, want that of 2024", got)
	}
	if got := destroyed(due); got != nil {
		t.Errorf("keys of %v were destroyed again", got)
	}
	n, stored := refused("again", due, visit("5", "ann", "2024-05-03"), visit("6", "bob", "2024-05-03"))
	if n != 1 || stored != 1 || s.rowsOf("ann") != 1 {
		t.Errorf("%d records were refused and %d stored, want bob's refused and ann's stored", n, stored)
	}
	s.execute("INSERT INTO {personal}.events (occurred_at, user_id, lapse_record) VALUES ('2024-05-04 10:00:00', 'bob', generateUUIDv4())")
	s.must(s.sweepJob(), due)
	if ann, bob := s.rowsOf("ann"), s.rowsOf("bob"); ann != 1 || bob != 0 {
		t.Errorf("after a sweep there are %d rows of ann and %d of bob", ann, bob)
	}
	s.pairsUp()
}

// A key is not destroyed while somebody who was entered under it waits for the end of a
// hold; and should it be lost, nothing goes that they send after they signed up anew.
func TestLedgerKeyWaitsForErasuresThatGoOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(strings.Replace(string(config.Facesoft), "requests: {clause: C15,", "requests: {clause: C15, erasures: P30D,", 1)))
	s.withMonth()
	hold := s.place(sinks.Hold{Dataset: "accounts"}, "person-3", "")
	id := s.ask(end(1), "person-3")
	s.erase(end(1))
	keys := s.erasureKeys().Keyring
	periods, err := keys.Periods()
	if err != nil || len(periods) != 1 || periods[0].Unit != sinks.KeyMonth {
		t.Fatalf("%v: %v", periods, err)
	}
	later := end(12)
	if r := s.must(s.subjectJob(), later); r.Steps != 0 {
		t.Errorf("%d steps while the hold lasts", r.Steps)
	}
	s.must(s.gatedIngest(s.write("anew", []byte(visit("anew", "person-3", end(11).Format(time.DateOnly))))), later)
	if err := keys.Destroy(periods[0]); err != nil { // lost
		t.Fatal(err)
	}
	s.release(hold)
	s.must(s.subjectJob(), later)
	if n, state := s.rowsOf("person-3"), s.states(id)[0]; n != 1 || state != sinks.RequestDone {
		t.Errorf("%d rows are there, want that of the new life; the request is %s", n, state)
	}
}

// While a long file is read, the first person of a new period is erased: the gate that is
// at work learns of the key.
func TestGateLearnsOfNewKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	gate := s.gate(1000)
	admits := func() bool {
		return gate.Admit(&sinks.Candidate{Dataset: "events", Identifiers: [][]byte{[]byte("ann"), nil}, At: end(1)})
	}
	for _, year := range []int{0, 12, 24} {
		if !admits() {
			t.Fatalf("refused before anybody was erased in year %d", year)
		}
		key, err := s.erasureKeys().At(end(year))
		if err != nil {
			t.Fatal(err)
		}
		other := jobs.NewSubjectKeys(key).Of("user_id", []byte("bob"))
		if err := s.store.RecordErasures(t.Context(), []sinks.Erasure{{Subject: other, Until: end(1), Request: sinks.NewID()}}); err != nil {
			t.Fatal(err)
		}
		if err := gate.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.erased("user_id", "ann", end(36))
	if err := gate.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if admits() {
		t.Error("admitted a record of somebody who was erased meanwhile")
	}
}
