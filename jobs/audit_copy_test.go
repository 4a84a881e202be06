package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// audited is a real log in a folder, and a real ClickHouse with its copy.
type audited struct {
	dir   string
	key   *auditlog.PrivateKey
	log   *auditlog.Log
	now   time.Time
	store *clickhouse.Store
	conn  driver.Conn
	table string
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	a := &audited{dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	if a.key, err = auditlog.NewKey("example.com/audit"); err != nil {
		t.Fatal(err)
	}
	folder, err := auditlog.OpenFolder(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	if a.log, err = auditlog.Open(t.Context(), folder, a.key, func() time.Time { return a.now }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.log.Close() })
	var o clickhouse.Options
	a.store, o = sinktest.Store(t, sinktest.Policy(t, config.Facesoft))
	a.conn, err = driver.Open(&driver.Options{
		Addr: o.Addresses, Auth: driver.Auth{Username: o.User, Password: o.Password}, Settings: driver.Settings{"mutations_sync": 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.conn.Close() })
	a.table = "`" + o.Databases.Control + "`.audit"
	return a
}

// append writes n intents and their outcomes.
func (a *audited) append(t *testing.T, n int) {
	t.Helper()
	var entries []*sinks.Entry
	for range n {
		e := sinks.Entry{
			Action: sinks.ActionAnonymise, Actor: sinks.ActorOperator, AsOf: a.now, Dataset: sinks.MustName("events"),
			Job: sinks.JobAnonymise, Partition: &sinks.Partition{Day: sinks.DayOf(a.now), Batch: 3}, Phase: sinks.Intent,
			Policy: sinks.PolicyRef{Name: sinks.MustName("p"), Version: sinks.MustName("1"), Hash: sinks.Digest{1}},
			Run:    sinks.ID{1}, Step: sinks.NewID(),
		}
		outcome := e
		outcome.Phase, outcome.Result = sinks.Outcome, sinks.ResultDone
		outcome.Counts = map[sinks.Count]uint64{sinks.CountPublished: 17, sinks.CountBefore: 18}
		entries = append(entries, &e, &outcome)
	}
	if err := a.log.Append(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}

func (a *audited) copier(to sinks.AuditCopy) *jobs.AuditCopier {
	files := auditlog.ReadFolder(a.dir)
	return &jobs.AuditCopier{Copy: to, Entries: func(ctx context.Context, year int, index int64) iter.Seq2[sinks.AuditRecord, error] {
		return auditlog.Encoded(ctx, files, year, index)
	}}
}

func (a *audited) mustFlush(t *testing.T) {
	t.Helper()
	if err := a.copier(a.store).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (a *audited) mustCompare(t *testing.T, complete bool) *jobs.AuditComparison {
	t.Helper()
	c, err := a.copier(a.store).Compare(t.Context(), complete)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustAgree fails the test unless the copy holds the log's entries, one row each.
func (a *audited) mustAgree(t *testing.T, entries int64) {
	t.Helper()
	want := jobs.AuditComparison{Entries: entries}
	if c := a.mustCompare(t, false); !reflect.DeepEqual(*c, want) {
		t.Errorf("%+v, want %d entries and no difference", c, entries)
	}
	if n := a.count(t, "FINAL"); n != uint64(entries) {
		t.Errorf("%d rows, want %d", n, entries)
	}
}

func (a *audited) count(t *testing.T, rest string) (n uint64) {
	t.Helper()
	if err := a.conn.QueryRow(t.Context(), "SELECT count() FROM "+a.table+" "+rest).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (a *audited) execute(t *testing.T, format string, args ...any) {
	t.Helper()
	if err := a.conn.Exec(t.Context(), fmt.Sprintf(format, args...)); err != nil {
		t.Fatal(err)
	}
}

func TestCopyOfTheAuditLogCanBeSearched(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.append(t, 2500)
	a.mustFlush(t)
	a.append(t, 1)
	a.now = a.now.AddDate(1, 0, 0) // a log of its own
	a.append(t, 300)
	a.mustFlush(t)
	a.mustFlush(t)
	a.mustAgree(t, 5000+2+1+1+600) // with the ends of the years
	for where, want := range map[string]uint64{
		"phase = 'intent'": 2801,
		"action = 'anonymise' AND dataset = 'events' AND counts['published'] = 17 AND result = 'done'": 2801,
		"action = 'close_year'":                               1,
		"time >= '2027-01-01' AND phase = 'intent'":           300,
		"day = '2026-03-01' AND batch = 3 AND actor != 'x'":   5002,
		"run = '" + sinks.ID{1}.String() + "' AND error = ''": 5604, // with the ends of the years, which have its run
		"policy_version = '1' AND job = 'anonymise'":          5602,
		"policy_hash = '" + sinks.Digest{1}.String() + "'":    5604,
	} {
		if n := a.count(t, "FINAL WHERE "+where); n != want {
			t.Errorf("%s: %d, want %d", where, n, want)
		}
	}
}

// unsteady is a copy whose writes fail, before or after they are done.
type unsteady struct {
	sinks.AuditCopy
	mu   sync.Mutex
	left int
	done bool // the entries are copied all the same
}

var errUnsteady = errors.New("the copy failed")

func (u *unsteady) CopyEntries(ctx context.Context, r []sinks.AuditRecord) error {
	u.mu.Lock()
	fail := u.left > 0
	u.left--
	u.mu.Unlock()
	if fail && !u.done {
		return errUnsteady
	}
	if err := u.AuditCopy.CopyEntries(ctx, r); err != nil || !fail {
		return err
	}
	return errUnsteady
}

func TestCopyThatFailedIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	for _, persisted := range []bool{false, true} {
		a := newAudited(t)
		a.append(t, 3000)
		c := a.copier(&unsteady{AuditCopy: a.store, left: 1, done: persisted})
		var warned error
		c.Warn = func(err error) { warned = err }
		c.Follow(t.Context())() // a run
		if !errors.Is(warned, errUnsteady) {
			t.Errorf("warned of %v", warned)
		}
		a.append(t, 10)
		c.Follow(t.Context())() // the next run of the same process
		a.mustAgree(t, 6020)

		a.append(t, 10)
		a.mustFlush(t) // another process
		a.mustAgree(t, 6040)
	}
}

func TestGapsOfTheCopyAreFoundByTheNextProcess(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.append(t, 100)
	a.now = a.now.AddDate(1, 0, 0)
	a.append(t, 100)
	a.mustFlush(t)
	for _, where := range []string{"year = 2026 AND position = 20", "year = 2026 AND position = 200", "year = 2026", "year = 2027 AND position > 7", "year = 2027 AND position < 7", "true"} {
		a.execute(t, "ALTER TABLE %s DELETE WHERE %s", a.table, where)
		if where == "year = 2026" { // as if the log began later: only a comparison knows
			if c := a.mustCompare(t, true); c.Missing != 201 || c.Copied != 201 || !c.Agrees() {
				t.Errorf("%+v", c)
			}
		}
		a.mustFlush(t)
		a.mustAgree(t, 402)
	}
}

func TestCopyingAtOnceDoublesNothing(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.append(t, 2000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { a.mustFlush(t) })
	}
	wg.Wait()
	a.mustAgree(t, 4000)
}

func TestComparisonNamesEveryEntryThatDiffers(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.append(t, 200)
	a.mustFlush(t)
	a.execute(t, "ALTER TABLE %s UPDATE entry = replace(entry, 'anonymise', 'anonymize') WHERE position = 7", a.table)
	a.execute(t, "ALTER TABLE %s UPDATE action = 'ingest_source' WHERE position = 9", a.table)
	a.execute(t, "ALTER TABLE %s UPDATE counts = map('published', toUInt64(1)) WHERE position = 11", a.table)
	a.execute(t, "ALTER TABLE %s UPDATE entry = '', time = 0 WHERE position = 12", a.table)
	a.execute(t, "ALTER TABLE %s DELETE WHERE position IN (20, 399)", a.table)
	a.execute(t, "INSERT INTO %s (year, position, entry) VALUES (2025, 0, '{}'), (2026, 400, 'x'), (2031, 5, '{}')", a.table)
	want := []jobs.AuditDifference{
		{2025, 0, jobs.AuditExtra}, {2026, 7, jobs.AuditDiffers}, {2026, 9, jobs.AuditDiffers}, {2026, 11, jobs.AuditDiffers},
		{2026, 12, jobs.AuditDiffers}, {2026, 20, jobs.AuditMissing}, {2026, 399, jobs.AuditMissing},
		{2026, 400, jobs.AuditExtra}, {2031, 5, jobs.AuditExtra},
	}
	c := a.mustCompare(t, false)
	if !reflect.DeepEqual(c.Differences, want) || c.Agrees() || c.Missing != 2 || c.Differing != 4 || c.Extra != 3 || c.Copied != 0 {
		t.Errorf("%+v", c)
	}
	if c = a.mustCompare(t, true); c.Copied != 2 || c.Agrees() {
		t.Errorf("%+v, want the missing to be copied", c)
	}
	if c = a.mustCompare(t, false); c.Missing != 0 || c.Differing != 4 || c.Extra != 3 {
		t.Errorf("%+v, want nothing missing, and nothing that differs changed", c)
	}
	a.execute(t, "TRUNCATE TABLE %s", a.table)
	a.mustFlush(t)
	a.mustAgree(t, 400)
}
