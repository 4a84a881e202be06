package clickhouse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// accountsPolicy returns the policy above with a table of accounts, to which the
// visits are witnesses.
func accountsPolicy() string {
	return strings.ReplaceAll(visits, "{name: path, type: String, from: path,", "{name: path, type: String, from: event,") + `
  - name: accounts
    description: d
    clause: C4
    purposes: [p]
    input: {format: segment, types: [identify]}
    subject: [user, visitor]
    time: at
    retention:
      - {trigger: account_closed, event: Account Deleted, keep: P30D, action: erase, clause: C12, rationale: r}
      - {trigger: last_activity, keep: P1M, action: erase, clause: C12, rationale: r}
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: user, type: String, from: userId, field: c.f, identifies: directly}
      - {name: visitor, type: String, from: anonymousId, field: c.f, identifies: directly}
      - {name: email, type: String, from: traits.email, field: c.f, identifies: directly}
`
}

// account is a row of the table of accounts.
type account struct {
	at                   time.Time
	user, visitor, email string
}

// people is a store with accounts.
type people struct {
	*testing.T
	store   *clickhouse.Store
	options clickhouse.Options
	rows    uint64
}

func newPeople(t *testing.T) *people {
	t.Helper()
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(accountsPolicy())))
	return &people{T: t, store: s, options: o}
}

// identify stores rows of accounts.
func (p *people) identify(rows ...account) {
	p.Helper()
	b := &sinks.Block{Dataset: "accounts", Source: 1, Columns: []*sinks.Column{
		{Name: "at", Type: "DateTime64(3, 'UTC')", Width: 8}, {Name: "user", Type: "String"}, {Name: "visitor", Type: "String"}, {Name: "email", Type: "String"},
	}}
	for _, a := range rows {
		b.Columns[0].AppendUint(uint64(a.at.UnixMilli()))
		for j, text := range []string{a.user, a.visitor, a.email} {
			b.Columns[j+1].AppendString([]byte(text))
		}
		p.add(b, a.at)
	}
	if err := p.store.Insert(p.Context(), b, sinks.NewID()); err != nil {
		p.Fatal(err)
	}
}

// act stores an event of somebody: of a user, or of a visitor.
func (p *people) act(at time.Time, user, visitor, event string) {
	p.Helper()
	b := block(1, nil)
	b.Columns[0].AppendUint(uint64(at.UnixMilli()))
	for j, text := range []string{user, visitor, event, ""} {
		b.Columns[j+1].AppendString([]byte(text))
	}
	b.Columns[5].AppendDefault()
	p.add(b, at)
	if err := p.store.Insert(p.Context(), b, sinks.NewID()); err != nil {
		p.Fatal(err)
	}
}

func (p *people) add(b *sinks.Block, at time.Time) {
	p.rows++
	b.Days, b.Records = append(b.Days, sinks.DayOf(at)), append(b.Records, sinks.NewID())
	b.Positions, b.Batches = append(b.Positions, p.rows), append(b.Batches, 0)
}

// emails returns the e-mail addresses of the accounts that are held, sorted.
func (p *people) emails() (emails []string) {
	p.Helper()
	for _, row := range query(p.T, p.options, statement(p.options, "SELECT email FROM {personal}.accounts ORDER BY email")) {
		emails = append(emails, row[0].(string))
	}
	return emails
}

// content returns a hash of what is held of everybody but those of the given
// e-mail addresses.
func (p *people) content(without []string) any {
	p.Helper()
	quoted := make([]string, len(without))
	for i, email := range without {
		quoted[i] = "'" + email + "'"
	}
	return query(p.T, p.options, statement(p.options, "SELECT groupBitXor(cityHash64(*)), count() FROM {personal}.accounts WHERE email NOT IN ("+strings.Join(quoted, ",")+")"))[0][0]
}

// erase erases whom a cutoff takes, and checks that it takes just the given people.
func (p *people) erase(c sinks.SubjectCutoff, taken []string) {
	p.Helper()
	before := p.emails()
	others := p.content(taken)
	due, err := p.store.DueSubjects(p.Context(), "accounts", c)
	if err != nil {
		p.Fatal(err)
	}
	if got := p.emails(); !slices.Equal(got, before) {
		p.Error("asking who is due has erased somebody")
	}
	rows, left, err := p.store.EraseSubjects(p.Context(), "accounts", c)
	if err != nil || !left.Proven() || rows != due {
		p.Errorf("%+v erased, %+v were due, %+v left: %v", rows, due, left, err)
	}
	var want []string
	for _, email := range before {
		if !slices.Contains(taken, email) {
			want = append(want, email)
		}
	}
	if got := p.emails(); !slices.Equal(got, want) {
		p.Errorf("left are %q, want %q", got, want)
	}
	if int(rows.Rows) != len(before)-len(want) {
		p.Errorf("%d rows were erased, want %d", rows.Rows, len(before)-len(want))
	}
	if p.content(taken) != others {
		p.Error("the rows of others were changed")
	}
	if rows, left, err = p.store.EraseSubjects(p.Context(), "accounts", c); err != nil || !left.Proven() || rows.Rows != 0 {
		p.Errorf("again: %+v erased, %+v left: %v", rows, left, err)
	}
	if n := query(p.T, p.options, statement(p.options, "SELECT count() FROM system.tables WHERE database = '"+p.options.Databases.Control+"' AND startsWith(name, 'stage_')"))[0][0]; n != uint64(0) {
		p.Errorf("%v tables with the subjects were left", n)
	}
}

func TestClosedAccountsAreErasedAndNoOthers(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	day := func(n int) time.Time { return newYear.AddDate(0, 0, n) }
	before := day(60)
	closed := func(at time.Time, user, visitor string) { p.act(at, user, visitor, "Account Deleted") }

	p.identify(account{day(1), "gone", "v1", "gone@1"}, account{day(2), "gone", "", "gone@2"}, account{day(3), "gone", "v9", "gone@3"})
	closed(day(20), "gone", "v1")
	p.identify(account{day(1), "atonce", "", "atonce@1"})
	closed(before, "atonce", "")
	p.identify(account{day(1), "justnot", "", "justnot@1"})
	closed(before.Add(time.Millisecond), "justnot", "")
	p.identify(account{day(1), "back", "", "back@1"}, account{day(30), "back", "", "back@2"}) // opened anew
	closed(day(20), "back", "")
	p.identify(account{day(1), "twice", "", "twice@1"}, account{day(30), "twice", "", "twice@2"})
	closed(day(20), "twice", "")
	closed(day(40), "twice", "")
	p.identify(account{day(1), "lately", "", "lately@1"})
	closed(day(20), "lately", "")
	closed(day(70), "lately", "")
	p.identify(account{day(1), "never", "", "never@1"})
	p.act(day(20), "never", "", "Account deleted?")
	p.identify(account{day(1), "", "visitor", "visitor@1"}, account{day(1), "somebody", "visitor", "visitor@2"})
	closed(day(20), "", "visitor") // a visitor who never signed in
	p.identify(account{day(1), "", "", "nobody@1"})
	closed(day(20), "", "")

	p.erase(sinks.SubjectCutoff{Rule: sinks.RuleAccountClosed, Before: before, Event: "Account Deleted"},
		[]string{"gone@1", "gone@2", "gone@3", "atonce@1", "twice@1", "twice@2", "visitor@1"})
}

func TestAbandonedAccountsAreErasedAndNoOthers(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	day := func(n int) time.Time { return newYear.AddDate(0, 0, n) }
	before := day(60)
	p.identify(account{day(1), "gone", "", "gone@1"}, account{day(5), "gone", "v", "gone@2"})
	p.act(day(30), "gone", "", "x")
	p.identify(account{day(1), "atonce", "", "atonce@1"}, account{before, "atonce", "", "atonce@2"})
	p.identify(account{day(1), "justnot", "", "justnot@1"}, account{before.Add(time.Millisecond), "justnot", "", "justnot@2"})
	p.identify(account{day(1), "active", "", "active@1"})
	p.act(day(61), "active", "", "x") // seen in the visits only
	p.identify(account{day(1), "", "visitor", "visitor@1"})
	p.act(day(2), "", "visitor", "x")
	p.identify(account{day(1), "", "regular", "regular@1"})
	p.act(day(99), "", "regular", "x")
	p.identify(account{day(1), "", "", "nobody@1"})

	p.erase(sinks.SubjectCutoff{Rule: sinks.RuleLastActivity, Before: before}, []string{"gone@1", "gone@2", "atonce@1", "atonce@2", "visitor@1"})
}

func TestAwkwardlyNamedPeopleAreErasedAndNoOthers(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	var taken []string
	n := 0
	for name, id := range awkward {
		n++
		gone, kept := fmt.Sprint("gone@", n), fmt.Sprint("kept@", n)
		p.identify(account{newYear, id, "", gone}, account{newYear, id + "'", "", kept}, account{newYear, "", id + "\\", kept}, account{newYear, name, "", kept})
		p.act(newYear.Add(time.Hour), id, "", "Account Deleted")
		taken = append(taken, gone)
	}
	p.erase(sinks.SubjectCutoff{Rule: sinks.RuleAccountClosed, Before: newYear.AddDate(0, 0, 1), Event: "Account Deleted"}, taken)
}

// onDisk reports whether bytes stand in any file of the engine: in a part of
// whatever state, or in a log.
func onDisk(t *testing.T, text string) bool {
	t.Helper()
	found := false
	folder := filepath.Dir(sinktest.Engine(t).ConnectionFile())
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // other tests come and go
		}
		if err != nil || !entry.Type().IsRegular() || found {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		found = found || bytes.Contains(raw, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestErasedAndDroppedRowsAreNotOnTheDisk(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	gone, kept, path := sinks.NewID().String(), sinks.NewID().String(), "/"+sinks.NewID().String()
	p.identify(account{newYear, "gone", "", gone}, account{newYear, "kept", "", kept})
	p.act(newYear.Add(time.Hour), "gone", "", "Account Deleted")
	p.act(newYear.AddDate(0, 0, 5), "kept", "", path)
	for _, text := range []string{gone, kept, path} {
		if !onDisk(t, text) {
			t.Fatal("what was stored is not found: the test proves nothing")
		}
	}
	p.erase(sinks.SubjectCutoff{Rule: sinks.RuleAccountClosed, Before: newYear.AddDate(0, 0, 1), Event: "Account Deleted"}, []string{gone})
	if left, err := p.store.Drop(t.Context(), "visits", []sinks.Partition{day(5)}); err != nil || !left[day(5)].Proven() {
		t.Fatalf("%+v: %v", left, err)
	}
	if onDisk(t, gone) || onDisk(t, path) {
		t.Error("what was erased is still on the disk")
	}
	if !onDisk(t, kept) {
		t.Error("what was kept is not")
	}
}

func TestErasureBesideItselfProvesAbsence(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	var want []string
	for i := range 50 {
		user, email := fmt.Sprint("user", i), fmt.Sprintf("%02d@example.org", i)
		p.identify(account{newYear, user, "", email})
		if i%2 == 0 {
			p.act(newYear.Add(time.Hour), user, "", "Account Deleted")
		} else {
			want = append(want, email)
		}
	}
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			_, left, err := p.store.EraseSubjects(t.Context(), "accounts", sinks.SubjectCutoff{Rule: sinks.RuleAccountClosed, Before: newYear.AddDate(0, 0, 1), Event: "Account Deleted"})
			if err == nil && !left.Proven() {
				err = fmt.Errorf("left: %+v", left)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if got := p.emails(); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// ClickHouse tries a mutation that fails again for ever, and lets those behind it
// wait. It is killed, and the erasure is not taken for done.
func TestErasureBehindAFailingMutationIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.identify(account{newYear, "gone", "", "gone@1"}, account{newYear, "kept", "", "kept@1"})
	p.act(newYear.Add(time.Hour), "gone", "", "Account Deleted")
	c := sinks.SubjectCutoff{Rule: sinks.RuleAccountClosed, Before: newYear.AddDate(0, 0, 1), Event: "Account Deleted"}
	execute(t, p.options, statement(p.options, "ALTER TABLE {personal}.accounts DELETE WHERE toUInt8(email) = 1 SETTINGS mutations_sync = 0"))
	if _, _, err := p.store.EraseSubjects(t.Context(), "accounts", c); err == nil || !strings.Contains(err.Error(), "CANNOT_PARSE_TEXT and was killed") || strings.Contains(err.Error(), "gone@1") {
		t.Errorf("it does not say what is the matter, or too much: %v", err)
	}
	switch got := p.emails(); {
	case len(got) == 2:
		p.erase(c, []string{"gone@1"})
	case !slices.Equal(got, []string{"kept@1"}): // the one behind may be carried out when the other one is killed
		t.Errorf("left are %q", got)
	}
}

func TestErasureRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	s, _ := store(t) // whose visits have no column for an event's name
	if _, err := s.DueSubjects(t.Context(), "visits", sinks.SubjectCutoff{Event: "Account Deleted"}); err == nil || !strings.Contains(err.Error(), `"Account Deleted"`) {
		t.Errorf("no dataset shows when an account was closed: %v", err)
	}
	for _, dataset := range []string{sinks.QuarantineDataset, sinks.TrainingDataset, "none"} {
		if _, _, err := s.EraseSubjects(t.Context(), dataset, sinks.SubjectCutoff{}); err == nil {
			t.Errorf("%s has no subjects, and was erased", dataset)
		}
	}
}
