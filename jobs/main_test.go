package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

// site is a place where the jobs run: databases of its own, a bucket, an audit log,
// and a folder for input.
type site struct {
	testing.TB
	policy  *config.Policy
	options clickhouse.Options
	key     *auditlog.PrivateKey
	dir     string

	*worker
}

// worker is one process of a site: it has connections, locks and a writer of the
// audit log that no other worker knows of.
type worker struct {
	site   *site
	store  *clickhouse.Cluster
	runner *jobs.Runner
	bucket *bucket.Folder
}

// newSite makes a site for a policy, with one worker.
func newSite(t testing.TB, policy []byte) *site {
	t.Helper()
	p := sinktest.Policy(t, policy)
	_, options := sinktest.Store(t, p)
	return newSiteOn(t, p, options)
}

// newSiteOn makes a site on a ClickHouse.
func newSiteOn(t testing.TB, p *config.Policy, o clickhouse.Options) *site {
	t.Helper()
	s := &site{TB: t, policy: p, dir: t.TempDir(), options: o}
	var err error
	if s.key, err = auditlog.NewKey("example.org/lapse"); err != nil {
		t.Fatal(err)
	}
	s.worker = s.newWorker(nil)
	return s
}

// newWorker returns another worker of the site. It calls trace, if that is not nil,
// after each statement.
func (s *site) newWorker(trace func(statement string)) *worker {
	s.Helper()
	o := s.options
	if trace != nil {
		o.Trace = func(statement string, _ time.Duration) { trace(statement) }
	}
	store, err := clickhouse.OpenCluster(s.Context(), o)
	if err != nil {
		s.Fatal(err)
	}
	files, err := auditlog.OpenFolder(filepath.Join(s.dir, "audit"))
	if err != nil {
		s.Fatal(err)
	}
	log, err := auditlog.Open(s.Context(), files, s.key, time.Now)
	if err != nil {
		s.Fatal(err)
	}
	locks, err := filelock.Open(s.TempDir()) // that nobody else uses
	if err != nil {
		s.Fatal(err)
	}
	folder, err := bucket.OpenFolder(filepath.Join(s.dir, "bucket"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = errors.Join(store.Close(), log.Close(), folder.Close()) })
	return &worker{site: s, store: store, bucket: folder, runner: &jobs.Runner{
		Policy: s.policy, Log: log, Locks: locks, History: store, Actor: sinks.ActorOperator, Program: "test",
	}}
}

func (w *worker) ingestJob(paths ...string) *jobs.Ingest {
	return &jobs.Ingest{Policy: w.site.policy, Inputs: bucket.NewFiles(paths...), Intake: w.store, Ledger: w.store, Locks: w.runner.Locks}
}

func (w *worker) anonymiseJob() *jobs.Anonymise {
	return &jobs.Anonymise{Policy: w.site.policy, Personal: w.store, Publish: w.store, Locks: w.runner.Locks}
}

func (w *worker) purgeJob() *jobs.Purge {
	return &jobs.Purge{
		Policy: w.site.policy, Personal: w.store, Subjects: w.store, Register: w.store, Inventory: w.store, Holds: w.store,
		Buckets: map[string]sinks.Bucket{"training": w.bucket}, Locks: w.runner.Locks,
	}
}

func (w *worker) run(ctx context.Context, job jobs.Job, asOf time.Time) (*jobs.Report, error) {
	return w.runner.Run(ctx, job, asOf)
}

// must runs a job in which nothing may fail and nothing may have to wait.
func (w *worker) must(job jobs.Job, asOf time.Time) *jobs.Report {
	w.site.Helper()
	report, err := w.run(w.site.Context(), job, asOf)
	if err != nil {
		w.site.Fatal(err)
	}
	if len(report.Blocked) > 0 {
		w.site.Fatalf("%s: %d steps wait, the first because %s", job.Kind(), len(report.Blocked), report.Blocked[0].Blocked)
	}
	return report
}

func (w *worker) ingest(asOf time.Time, paths ...string) *jobs.Report {
	w.site.Helper()
	return w.must(w.ingestJob(paths...), asOf)
}

func (w *worker) anonymise(asOf time.Time) *jobs.Report {
	w.site.Helper()
	return w.must(w.anonymiseJob(), asOf)
}

func (w *worker) purge(asOf time.Time) *jobs.Report {
	w.site.Helper()
	return w.must(w.purgeJob(), asOf)
}

// write writes an input file and returns its path.
func (s *site) write(name string, content []byte) string {
	s.Helper()
	path := filepath.Join(s.dir, "input", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// generated is made-up input and what is true of it; every test has the same.
type generated struct {
	files map[string][]byte
	truth *traffic.Truth
}

// memory keeps a file in a map.
type memory struct {
	bytes.Buffer
	close func()
}

func (m *memory) Close() error {
	m.close()
	return nil
}

func generate(c traffic.Config) *generated {
	g := &generated{files: map[string][]byte{}}
	create := func(name string) (io.WriteCloser, error) {
		m := &memory{}
		m.close = func() { g.files[name] = m.Bytes() }
		return m, nil
	}
	var err error
	if g.truth, err = traffic.Generate(context.Background(), c, create, nil); err != nil {
		panic(err)
	}
	return g
}

// trafficConfig is that of a small company over five months, with more dirt than
// usual.
func trafficConfig() traffic.Config {
	c := traffic.Default()
	c.Months, c.People, c.Organisations, c.Events, c.AccessLines, c.Images = 5, 200, 8, 6_000, 1_500, 100
	c.Dirt.UnderAge = 0 // the policy takes them not; see TestAccountOfDirtyInputIsExact
	c.Dirt.Broken, c.Dirt.BrokenAccess, c.Dirt.Duplicates, c.Dirt.LaterFile = 0.03, 0.03, 0.05, 0.3
	return c
}

// company is the input of that company.
var company = sync.OnceValue(func() *generated { return generate(trafficConfig()) })

// handful is input of a few records of every kind on each of some days, with something
// for each job to do.
func handful(days int) *generated {
	var calls, log bytes.Buffer
	call := func(kind, event, user string, at time.Time, more string) {
		fmt.Fprintf(&calls, `{"type":%q,"event":%q,"messageId":"%s-%s-%d","userId":%q,"timestamp":%q%s}`+"\n", kind, event, kind, user, at.Unix(), user, at.Format(time.RFC3339), more)
	}
	for day := range days {
		at := end(0).AddDate(0, 0, day).Add(10 * time.Hour)
		for n := range 14 {
			call("page", "", fmt.Sprint("user", n), at.Add(time.Duration(n)*time.Second), fmt.Sprintf(`,"context":{"page":{"url":"https://example.org/p%d"}}`, n/12))
			fmt.Fprintf(&log, "192.0.2.%d - - [%s] \"GET /%d HTTP/1.1\" 200 5 \"-\" \"x\"\n", n, at.Format("02/Jan/2006:15:04:05 -0700"), n/11)
		}
		user := fmt.Sprint("user", day)
		call("identify", "", user, at, fmt.Sprintf(`,"traits":{"email":"%s@example.org"}`, user))
		if day%2 == 0 {
			call("track", "Account Deleted", user, at.Add(time.Hour), "")
		}
		calls.WriteString("not a record\n")
	}
	notes := `{"type":"training_item","messageId":"i1","at":"2024-01-01T00:00:00Z","bucket":"training","key":"a/1","purposes":["p"],"subjects":["user1"],"derivatives":["d/1"],"consent":true}
{"type":"training_item","messageId":"i2","at":"2024-01-01T00:00:00Z","bucket":"training","key":"a/2","purposes":["q"],"subjects":[],"derivatives":[],"consent":true}
{"type":"training_purpose_completed","messageId":"c1","at":"2024-01-02T00:00:00Z","purpose":"p"}
`
	return &generated{files: map[string][]byte{
		"calls": calls.Bytes(), "log": log.Bytes(), "notes": []byte(notes),
		"bucket/a/1": []byte("1"), "bucket/a/2": []byte("2"), "bucket/d/1": []byte("d"),
	}}
}

// receive writes the company's input and objects into a site, those of the months
// that had ended by a date.
func (s *site) receive(g *generated, by time.Time) {
	s.Helper()
	for name, content := range g.files {
		if key, ok := strings.CutPrefix(name, "bucket/"); ok {
			if err := s.bucket.Put(s.Context(), key, bytes.NewReader(content)); err != nil {
				s.Fatal(err)
			}
			continue
		}
		month, _, _ := strings.Cut(filepath.Base(name), ".")
		if begun, err := time.Parse("2006-01", month); err != nil || !begun.AddDate(0, 1, 0).After(by) {
			s.write(name, content)
		}
	}
}

// input is the folder of the site's input.
func (s *site) input() string { return filepath.Join(s.dir, "input") }

// end returns the end of the nth month of the company's input.
func end(n int) time.Time { return trafficConfig().Start.AddDate(0, n, 0) }

// query runs a statement on the site's databases, {personal}, {published} and
// {control}, and returns its rows.
func (s *site) query(sql string) [][]any {
	s.Helper()
	_, rows, err := clickhouse.QueryAnalytics(s.Context(), s.options, s.fill(sql))
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// count runs a statement that gives one number.
func (s *site) count(sql string) int {
	s.Helper()
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(s.query(sql)[0][0]), &n); err != nil {
		s.Fatal(err)
	}
	return n
}

func (s *site) execute(sql string) {
	s.Helper()
	conn, err := driver.Open(&driver.Options{Addr: s.options.Addresses, Auth: driver.Auth{Username: s.options.User, Password: s.options.Password}})
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	if err := conn.Exec(s.Context(), s.fill(sql)); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
}

func (s *site) fill(sql string) string {
	d := s.options.Databases
	return strings.NewReplacer("{personal}", "`"+d.Telemetry+"`", "{published}", "`"+d.Analytics+"`", "{control}", "`"+d.Control+"`").Replace(sql)
}

// state describes everything that the jobs have brought about: each table by a count
// and a digest, each object. What differs between runs and sites, times, random ids
// and what names the databases, is left out.
func (s *site) state() string {
	s.Helper()
	var b strings.Builder
	d := s.options.Databases
	for _, row := range s.query(fmt.Sprintf(`SELECT database, table, groupArray(name) FROM (SELECT * FROM system.columns ORDER BY database, table, position)
		WHERE database IN ('%[1]s', '%[2]s', '%[3]s') AND table NOT IN ('runs', 'migrations', 'audit') AND NOT startsWith(table, 'stage_')
			AND NOT (database = '%[3]s' AND match(name, '(_at$|^run$|^item$|^as_of$|^first_seen$|^path$|^query$)'))
		GROUP BY database, table ORDER BY database, table`, d.Telemetry, d.Analytics, d.Control)) {
		database, table, final := row[0].(string), row[1].(string), ""
		if database == d.Control && table != "quarantine" && table != "training" {
			final = " FINAL"
		}
		columns := strings.Join(row[2].([]string), "`, `")
		digest := s.query("SELECT count(), groupBitXor(sipHash64(toString(tuple(`" + columns + "`)))) FROM `" + database + "`.`" + table + "`" + final)[0]
		fmt.Fprintf(&b, "%s.%s %v\n", strings.TrimPrefix(database, strings.TrimSuffix(d.Control, "lapse")), table, digest)
	}
	err := s.bucket.List(s.Context(), "", func(o sinks.Object) error {
		fmt.Fprintln(&b, "object", o.Key)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return b.String()
}

// audited verifies the audit log: it must be whole, and every intent have its
// outcome. It returns the entries, the oldest first.
func (s *site) audited() []*sinks.Entry {
	s.Helper()
	key, err := auditlog.ParseVerifier(s.key.VerifierKey())
	if err != nil {
		s.Fatal(err)
	}
	report, err := auditlog.Verify(s.Context(), auditlog.ReadFolder(filepath.Join(s.dir, "audit")), key, auditlog.VerifyOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if report.OpenSteps > 0 {
		s.Errorf("%d intents have no outcome", report.OpenSteps)
	}
	var entries []*sinks.Entry
	for e, err := range s.runner.Log.Backwards(s.Context()) {
		if err != nil {
			s.Fatal(err)
		}
		entries = append([]*sinks.Entry{e}, entries...)
	}
	return entries
}
