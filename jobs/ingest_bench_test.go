package jobs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks/sinktest"
)

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
