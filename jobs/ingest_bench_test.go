package jobs_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sys/unix"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/keyring"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// benchColumns are 27 columns of a usage table: name, type, place in the call.
// The first is the corrected time of the event.
var benchColumns = [][3]string{
	{"occurred_at", "DateTime64(3)", ""},
	{"call", "LowCardinality(String)", "type"},
	{"name", "LowCardinality(String)", "event"},
	{"user_id", "String", "userId"},
	{"anonymous_id", "String", "anonymousId"},
	{"organisation_id", "String", "context.groupId"},
	{"country", "LowCardinality(String)", "context.location.country"},
	{"region", "LowCardinality(String)", "context.location.region"},
	{"city", "LowCardinality(String)", "context.location.city"},
	{"ip", "String", "context.ip"},
	{"device_id", "String", "context.device.id"},
	{"device_model", "LowCardinality(String)", "context.device.model"},
	{"user_agent", "String", "context.userAgent"},
	{"os", "LowCardinality(String)", "context.os.name"},
	{"os_version", "LowCardinality(String)", "context.os.version"},
	{"platform", "LowCardinality(String)", "context.device.type"},
	{"locale", "LowCardinality(String)", "context.locale"},
	{"time_zone", "LowCardinality(String)", "context.timezone"},
	{"carrier", "LowCardinality(String)", "context.network.carrier"},
	{"on_wifi", "Bool", "context.network.wifi"},
	{"url", "String", "context.page.url"},
	{"referrer", "String", "context.page.referrer"},
	{"title", "String", "context.page.title"},
	{"duration_ms", "Nullable(UInt32)", "properties.duration_ms"},
	{"response_ms", "Nullable(UInt32)", "properties.response_ms"},
	{"visit_ms", "Nullable(UInt32)", "properties.visit_ms"},
	{"exit", "LowCardinality(String)", "properties.exit"},
}

// benchGates makes of benchPolicy a policy with everything that can be asked of every
// record: consent, age, region, and columns that are derived.
var benchGates = strings.NewReplacer(
	"regions: {allowed: [EEA]}", "regions: {allowed: [EEA], exclude: {clause: C10, countries: [XX]}}",
	"[{basis: contract}]}]", `[{basis: consent}], consent: analytics}]
consent: {clause: C8, undecided: refuse}
minimum_age: {under: 18, clause: C9}
pseudonyms: {clause: C2, rotate: P1M}`,
	"from: context.ip,", "from: context.ip, derive: network,",
	"from: context.device.id,", "from: context.device.id, derive: pseudonym,",
	"from: context.userAgent,", "from: context.userAgent, derive: reduced_user_agent,",
	"from: context.page.url,", "from: context.page.url, derive: url_without_query,",
)

// benchPolicy puts every call into one table of benchColumns.
func benchPolicy() []byte {
	var b strings.Builder
	b.WriteString(`
lapse: 1
name: bench
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Bench}
dpo: {name: Bench}
regions: {allowed: [EEA]}
categories: [{id: c, clause: C1, description: d, fields: {f: f}}]
purposes: [{id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}]
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: events
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [track, page, screen, identify, group]}
    subject: [user_id, anonymous_id]
    time: occurred_at
    order_by: [call, name]
    retention: [{trigger: event_time, keep: P13M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: occurred_at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
`)
	for _, c := range benchColumns[1:] {
		identifies := "nobody"
		if c[0] == "user_id" || c[0] == "anonymous_id" {
			identifies = "directly"
		}
		fmt.Fprintf(&b, "      - {name: %s, type: %s, from: %s, field: c.f, identifies: %s}\n", c[0], c[1], c[2], identifies)
	}
	return []byte(b.String())
}

// tuple is the type by which JSONEachRow reads a nested object.
type tuple struct {
	names  []string
	fields map[string]*tuple
	leaf   string
}

func (t *tuple) add(path, leaf string) {
	name, rest, nested := strings.Cut(path, ".")
	if t.fields == nil {
		t.fields = map[string]*tuple{}
	}
	if t.fields[name] == nil {
		t.fields[name] = &tuple{}
		t.names = append(t.names, name)
	}
	if nested {
		t.fields[name].add(rest, leaf)
	} else {
		t.fields[name].leaf = leaf
	}
}

func (t *tuple) String() string {
	if t.leaf != "" {
		return t.leaf
	}
	fields := make([]string, len(t.names))
	for i, n := range t.names {
		fields[i] = n + " " + t.fields[n].String()
	}
	return "Tuple(" + strings.Join(fields, ", ") + ")"
}

// fromJSON is the SELECT by which ClickHouse reads the file itself, and the names
// of its columns.
func fromJSON(file string) (names, query string) {
	root := &tuple{}
	for _, p := range []string{"originalTimestamp", "sentAt", "receivedAt"} {
		root.add(p, "DateTime64(3, 'UTC')")
	}
	root.add("messageId", "String")
	columns, values := []string{"occurred_at"}, []string{"least(receivedAt, receivedAt - toIntervalMillisecond(dateDiff('millisecond', originalTimestamp, sentAt)))"}
	for _, c := range benchColumns[1:] {
		leaf := c[1]
		if inner, ok := strings.CutPrefix(leaf, "LowCardinality("); ok {
			leaf = strings.TrimSuffix(inner, ")")
		}
		root.add(c[2], leaf)
		columns, values = append(columns, c[0]), append(values, c[2])
	}
	structure := make([]string, len(root.names))
	for i, n := range root.names {
		structure[i] = n + " " + root.fields[n].String()
	}
	columns, values = append(columns, "lapse_record"), append(values, "reinterpretAsUUID(sipHash128(messageId))")
	return strings.Join(columns, ", "), fmt.Sprintf(`SELECT %s FROM file('%s', JSONEachRow, '%s')
		SETTINGS date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1, input_format_null_as_default = 1,
			input_format_json_ignore_unknown_keys_in_named_tuple = 1, input_format_json_defaults_for_missing_elements_in_named_tuple = 1,
			max_partitions_per_insert_block = 0`,
		strings.Join(values, ", "), file, strings.ReplaceAll(strings.Join(structure, ", "), "'", `\'`))
}

// benchInstallation is an engine whose user may read files, with an empty table.
type benchInstallation struct {
	dir     string
	engine  *engine.Engine
	options clickhouse.Options
	conn    driver.Conn
	table   string
}

func benchOptions(e *engine.Engine, p *config.Policy) clickhouse.Options {
	return clickhouse.Options{Addresses: []string{e.Address}, User: e.User, Password: e.Password, Policy: p, Sync: e.Sync}
}

func openBench(b *testing.B, policy []byte) *benchInstallation {
	b.Helper()
	library, err := engine.InstalledLibrary()
	if err != nil {
		b.Skip(err)
	}
	i := &benchInstallation{dir: b.TempDir()}
	e, err := engine.Start(b.Context(), engine.Options{
		Dir: filepath.Join(i.dir, "clickhouse"), Library: library, AnalystDatabase: "analytics",
		Files: i.dir,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	i.engine, i.options = e, benchOptions(e, sinktest.Policy(b, policy))
	i.conn, err = driver.Open(&driver.Options{Addr: i.options.Addresses, Auth: driver.Auth{Username: e.User, Password: e.Password}, ReadTimeout: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = i.conn.Close() })
	return i
}

func (i *benchInstallation) exec(b *testing.B, sql string) {
	b.Helper()
	if err := i.conn.Exec(b.Context(), sql); err != nil {
		b.Fatalf("%.200s: %v", sql, err)
	}
}

func (i *benchInstallation) number(b *testing.B, sql string) (n uint64) {
	b.Helper()
	if err := i.conn.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatalf("%.200s: %v", sql, err)
	}
	return n
}

// fresh makes new, empty tables and waits until nothing is at work any more. What
// an earlier round has stored stays until the end: creating files soon after others
// were deleted costs a file system several times as much.
func (i *benchInstallation) fresh(b *testing.B, name string) {
	b.Helper()
	i.options.Databases = clickhouse.DatabasesWithPrefix(name + "_")
	i.table = i.options.Databases.Telemetry + ".events"
	s, err := clickhouse.Open(b.Context(), i.options)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test's
	if err := s.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i.number(b, "SELECT count() FROM system.merges") > 0 {
		time.Sleep(100 * time.Millisecond)
	}
	if err := i.engine.Sync(); err != nil { // what is written next is on its own account
		b.Fatal(err)
	}
}

// benchFile writes n events, in the order of their receipt, over three months.
func benchFile(b *testing.B, path string, n int, dirt traffic.Dirt) (lines int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	c := traffic.Default()
	c.Months, c.People, c.Events, c.AccessLines, c.Images, c.Compression, c.Dirt = 3, max(n/50, 100), n, 0, 0, traffic.None, dirt
	truth, err := traffic.Generate(b.Context(), c, func(name string) (io.WriteCloser, error) {
		if strings.HasPrefix(name, "telemetry/") {
			return nopCloser{w}, nil
		}
		return nopCloser{io.Discard}, nil
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	total := traffic.Total(truth.Telemetry).Total
	b.Logf("%d lines of %d bytes on average", total.Lines, total.Bytes/int64(total.Lines))
	return total.Lines
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// childVariable makes BenchmarkIngestChild ingest one file and say how it went.
const childVariable = "LAPSE_BENCH_INGEST"

// childTask is what the child is told; childResult is what it answers.
type (
	childTask struct {
		Dir, Engine, File, Policy string
		Databases                 clickhouse.Databases
	}
	childResult struct {
		Seconds, CPUSeconds float64
		RSS                 uint64 // peak, bytes
		Counts              map[sinks.Count]uint64
		Took                map[string]time.Duration // by statement; they overlap
	}
)

// BenchmarkIngestChild is the process whose memory BenchmarkIngest measures.
func BenchmarkIngestChild(b *testing.B) {
	raw, ok := os.LookupEnv(childVariable)
	if !ok {
		b.Skip("it is run by BenchmarkIngest")
	}
	var task childTask
	if err := json.Unmarshal([]byte(raw), &task); err != nil {
		b.Fatal(err)
	}
	result, err := ingestOnce(b, task)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := json.Marshal(result)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\nanswer %s\n", answer)
}

// ingestOnce runs the whole job as the command line does.
func ingestOnce(b *testing.B, task childTask) (*childResult, error) {
	e, err := engine.Start(b.Context(), engine.Options{Dir: task.Engine, AnalystDatabase: "analytics"})
	if err != nil {
		return nil, err
	}
	defer e.Close() //nolint:errcheck // a test's
	o := benchOptions(e, sinktest.Policy(b, []byte(task.Policy)))
	o.Databases = task.Databases
	var mu sync.Mutex
	took := map[string]time.Duration{}
	o.Trace = func(statement string, d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		took[statement] += d
	}
	o.Sync = func() error {
		defer func(start time.Time) { o.Trace("sync", time.Since(start)) }(time.Now())
		return e.Sync()
	}
	s, err := clickhouse.Open(b.Context(), o)
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // a test's
	locks, err := filelock.Open(filepath.Join(task.Dir, "locks"))
	if err != nil {
		return nil, err
	}
	log, err := openAuditLog(b.Context(), filepath.Join(task.Dir, "audit"))
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // a test's
	runner := &jobs.Runner{Policy: o.Policy, Log: log, Locks: locks, History: s, Actor: sinks.ActorOperator, Program: "bench"}
	job := &jobs.Ingest{Policy: o.Policy, Inputs: bucket.NewFiles(task.File), Intake: s, Ledger: s, Locks: locks}
	if o.Policy.Consent != nil {
		if job.Keys, err = keyring.Open(filepath.Join(task.Dir, "keys")); err != nil {
			return nil, err
		}
		if job.Gate, err = jobs.NewGate(b.Context(), o.Policy, s, s, jobs.GateKeys{Consents: sinks.LedgerKey{1}, Erasures: sinks.LedgerKey{2}}); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	report, err := runner.Run(b.Context(), job, time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}
	r := &childResult{Seconds: time.Since(start).Seconds(), Counts: report.Outcomes[0].Counts, Took: took}
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return nil, err
	}
	r.CPUSeconds = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseUint(strings.Fields(string(rest))[0], 10, 64)
			r.RSS = kib << 10
		}
	}
	return r, nil
}

func openAuditLog(ctx context.Context, dir string) (*auditlog.Log, error) {
	folder, err := auditlog.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	key, err := auditlog.NewKey("bench")
	if err != nil {
		return nil, err
	}
	return auditlog.Open(ctx, folder, key, time.Now)
}

// lapse ingests the file in a process of its own.
func (i *benchInstallation) lapse(b *testing.B, policy []byte, file string) *childResult {
	b.Helper()
	task, err := json.Marshal(childTask{
		Dir: filepath.Join(i.dir, i.options.Databases.Control), File: file, Policy: string(policy),
		Engine: filepath.Join(i.dir, "clickhouse"), Databases: i.options.Databases,
	})
	if err != nil {
		b.Fatal(err)
	}
	args := []string{"-test.run=^$", "-test.bench=^BenchmarkIngestChild$", "-test.benchtime=1x"}
	if profile := os.Getenv("LAPSE_BENCH_PROFILE"); profile != "" {
		args = append(args, "-test.cpuprofile="+profile)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(task), "GOGC=50") // as the program has it
	out, err := cmd.CombinedOutput()
	_, answer, found := bytes.Cut(out, []byte("\nanswer "))
	if err != nil || !found {
		b.Fatalf("%v\n%s", err, out)
	}
	answer, _, _ = bytes.Cut(answer, []byte{'\n'})
	r := &childResult{}
	if err := json.Unmarshal(answer, r); err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkIngest loads the same file into the same table in four ways, by turns: by
// ClickHouse itself from JSON and from its own format, and by Lapse, without and with
// everything that can be asked of a record (gated),
// and gives the medians' ratios. The table's content is the same each time.
func BenchmarkIngest(b *testing.B) {
	if _, child := os.LookupEnv(childVariable); child {
		b.Skip("this is the child")
	}
	sizes := []int{1_000_000}
	if raw := os.Getenv("LAPSE_BENCH_EVENTS"); raw != "" {
		sizes = nil
		for _, s := range strings.Split(raw, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				b.Fatal(err)
			}
			sizes = append(sizes, n)
		}
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) { benchIngest(b, n) })
	}
}

const benchRounds = 3

func benchIngest(b *testing.B, n int) {
	policy := benchPolicy()
	i := openBench(b, policy)
	plain := i.options.Policy
	file, native := filepath.Join(i.dir, "events.ndjson"), filepath.Join(i.dir, "events.native")
	lines := benchFile(b, file, n, traffic.Dirt{Skewed: 0.03, Late: 0.02})
	columns, query := fromJSON(file)
	i.exec(b, fmt.Sprintf("INSERT INTO FUNCTION file('%s', Native, 'occurred_at DateTime64(3)%s, lapse_record UUID') %s, max_threads = 1", native, benchStructure(), query))
	ways := map[string]func(run int) float64{
		"json": func(int) float64 {
			return i.timed(b, fmt.Sprintf("INSERT INTO %s (%s) %s", i.table, columns, query))
		},
		"native": func(int) float64 {
			return i.timed(b, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM file('%s', Native) SETTINGS max_partitions_per_insert_block = 0", i.table, columns, columns, native))
		},
	}
	var peak uint64
	lapse := func(policy []byte) func(int) float64 {
		return func(int) float64 {
			r := i.lapse(b, policy, file)
			peak = max(peak, r.RSS)
			b.Logf("own processor time %.2f s; statements %v", r.CPUSeconds, r.Took)
			return r.Seconds
		}
	}
	gates := []byte(benchGates.Replace(string(policy)))
	policies := map[string]*config.Policy{"gated": sinktest.Policy(b, gates)}
	ways["lapse"], ways["gated"] = lapse(policy), lapse(gates)
	seconds := map[string][]float64{}
	var want string
	for run := range benchRounds {
		for _, way := range benchWays() {
			if i.options.Policy = plain; policies[way] != nil {
				i.options.Policy = policies[way]
			}
			i.fresh(b, fmt.Sprintf("%s%d", way, run))
			before := i.processorTime(b)
			seconds[way] = append(seconds[way], ways[way](run))
			b.Logf("%s: %.2f s, the engine's processor time %.2f s", way, seconds[way][run], i.processorTime(b)-before)
			switch got := i.content(b); {
			case want == "":
				want = got
			case policies[way] != nil: // its columns say less
				if !strings.HasPrefix(want, strings.Fields(got)[0]+" ") {
					b.Errorf("%s stored other rows: %s, want as many as %s", way, got, want)
				}
			case got != want:
				b.Errorf("%s stored other rows: %s, want %s", way, got, want)
			}
		}
	}
	median := func(way string) float64 {
		if len(seconds[way]) == 0 {
			return 0
		}
		slices.Sort(seconds[way])
		return seconds[way][len(seconds[way])/2]
	}
	b.ReportMetric(0, "ns/op")
	for way := range seconds {
		b.ReportMetric(float64(lines)/median(way), way+"_rows/s")
	}
	b.ReportMetric(median("json")/median("lapse"), "x_of_json")
	b.ReportMetric(median("json")/median("gated"), "gated_x_of_json")
	b.ReportMetric(median("native")/median("lapse"), "x_of_native")
	b.ReportMetric(float64(peak>>20), "peak_MiB")
}

// benchStructure lists the columns after the first with their types.
func benchStructure() string {
	var s strings.Builder
	for _, c := range benchColumns[1:] {
		fmt.Fprintf(&s, ", %s %s", c[0], c[1])
	}
	return s.String()
}

// timed runs a statement and returns how long it took, in seconds.
func (i *benchInstallation) timed(b *testing.B, sql string) float64 {
	b.Helper()
	start := time.Now()
	i.exec(b, sql)
	return time.Since(start).Seconds()
}

// processorTime returns the seconds of processor time that the engine has used.
func (i *benchInstallation) processorTime(b *testing.B) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.engine.EnginePID))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// content is a digest of the policy's columns, in whatever order the rows lie.
func (i *benchInstallation) content(b *testing.B) (digest string) {
	b.Helper()
	names := make([]string, len(benchColumns))
	for j, c := range benchColumns {
		names[j] = c[0]
	}
	sql := fmt.Sprintf("SELECT concat(toString(count()), ' ', toString(sum(cityHash64(%s)))) FROM %s", strings.Join(names, ", "), i.table)
	if err := i.conn.QueryRow(b.Context(), sql).Scan(&digest); err != nil {
		b.Fatal(err)
	}
	return digest
}

// benchWays are the ways to load the file; LAPSE_BENCH_ONLY names one, to look at
// it with a profiler.
func benchWays() []string {
	if only := os.Getenv("LAPSE_BENCH_ONLY"); only != "" {
		return []string{only}
	}
	return []string{"json", "native", "lapse", "gated"}
}
