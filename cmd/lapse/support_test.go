package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks/keyring"
)

// world is an installation with input: what a small company's month has left.
type world struct {
	t     *testing.T
	dir   string
	truth *traffic.Truth
}

// The dates as of which a world's jobs run: when its month has been received, and
// when every window has passed.
const (
	received = "2024-03-01"
	expired  = "2027-06-01"
)

func smallTraffic() traffic.Config {
	c := traffic.Default()
	c.Compression = traffic.None
	c.Months, c.People, c.Organisations, c.Events, c.AccessLines, c.Images = 1, 120, 4, 2000, 2000, 24
	c.Dirt.Broken, c.Dirt.Duplicates = 0.02, 0.05
	return c
}

// newWorld makes an installation and its input.
func newWorld(t *testing.T) *world {
	t.Helper()
	return makeWorld(t, smallTraffic())
}

// newBusyDays makes an installation of which only a few days are known, but with
// an access log of more than one chunk.
func newBusyDays(t *testing.T) *world {
	t.Helper()
	c := smallTraffic()
	c.Events, c.AccessLines = 10_000, 150_000
	w := makeWorld(t, c)
	for path, lines := range map[string]int{"telemetry/2024-01.ndjson": 1000, "access/2024-01.log": 17_000} {
		path = filepath.Join(w.dir, "input", path)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Join(bytes.SplitAfterN(whole, []byte{'\n'}, lines+1)[:lines], nil)
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func makeWorld(t *testing.T, c traffic.Config) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	installedLibrary(t)
	w.must("init", w.dir)
	keys, err := keyring.Open(filepath.Join(w.dir, "data", "keys"))
	if err == nil {
		_, err = keys.Secret(jobs.ConsentLedgerName) // so that copies of the installation have the same
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &demo{app: &app{out: io.Discard, errors: io.Discard, settings: w.settings(), log: slog.New(slog.DiscardHandler)}, dir: w.dir}
	truth, err := traffic.Generate(t.Context(), c, d.create, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.truth = truth
	return w
}

func (w *world) settings() *config.Settings {
	w.t.Helper()
	s, err := config.LoadSettings(filepath.Join(w.dir, config.SettingsFile))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// copy returns another world in the same state.
func (w *world) copy(t *testing.T) *world {
	t.Helper()
	other := &world{t: t, dir: t.TempDir(), truth: w.truth}
	if out, err := exec.Command("cp", "-a", w.dir+"/.", other.dir).CombinedOutput(); err != nil { // keys stay closed to others
		t.Fatalf("%v\n%s", err, out)
	}
	return other
}

// keepEngine keeps the engine up between this world's commands until the test ends. Most
// of what a short command costs is otherwise the engine's start. A command that is killed
// is then all that dies: where its engine has to die with it, as in a power cut, leave
// this out, and where the world's files are copied.
func (w *world) keepEngine() {
	w.t.Helper()
	a := w.opener()
	i := &installation{app: a, settings: a.settings}
	if err := i.startEngine(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := i.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// command returns the program's command line in this world.
func (w *world) command(args ...string) *exec.Cmd {
	c := exec.Command("lapse", args...)
	c.Dir = w.dir
	return c
}

// must runs a command line that has to succeed and returns what it printed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.command(args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("lapse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// code runs a command line and returns how it ended and what it printed.
func (w *world) code(args ...string) (code int, output string) {
	w.t.Helper()
	out, err := w.command(args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("lapse %s: %v", strings.Join(args, " "), err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return code, string(out)
}

// jobCommand is the command line that runs a job on this world's input.
func jobCommand(job string) []string {
	switch job {
	case "ingest":
		return []string{"run", "ingest", "--as-of", received, "input"}
	case "replay":
		return []string{"quarantine", "replay"}
	case "destroy": // erase whom the ledger need not know any more
		return []string{"run", "subject", "--as-of", "2099-01-01"}
	case "drop":
		return []string{"quarantine", "drop", "--reason", "not_json"}
	}
	return []string{"run", job, "--as-of", expired}
}

// killedAt runs a job that the failpoint kills.
func (w *world) killedAt(failpoint, job string) {
	w.t.Helper()
	if !w.diesAt(failpoint, job) {
		w.t.Fatalf("lapse run %s was not killed at %s", job, failpoint)
	}
}

// diesAt runs a job and reports whether the failpoint kills it. Otherwise the job has to
// succeed.
func (w *world) diesAt(failpoint, job string) bool {
	w.t.Helper()
	c := w.command(jobCommand(job)...)
	c.Env = append(os.Environ(), "LAPSE_FAILPOINT="+failpoint)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		w.t.Fatalf("lapse run %s was not killed at %s: %v\n%s", job, failpoint, err, out)
	}
	return false
}

// state describes everything that the jobs have brought about: every table, every
// object, and that the audit log verifies with no step open. Times and random ids
// are left out, for they differ between runs.
func (w *world) state() string {
	w.t.Helper()
	var b bytes.Buffer
	w.tables(&b)
	w.objects(&b)
	verified := w.must("audit", "verify")
	if strings.Contains(verified, "have not ended") {
		w.t.Errorf("steps are open:\n%s", verified)
	}
	return b.String()
}

// opener returns what opens this world's installation in the test's own process.
func (w *world) opener() *app {
	a := &app{out: io.Discard, errors: io.Discard, settings: w.settings(), log: slog.New(slog.DiscardHandler)}
	a.settings.Policy = filepath.Join(w.dir, "policy.yaml")
	return a
}

// tables writes a count and a digest of each table.
func (w *world) tables(out io.Writer) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	i, err := w.opener().open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	c := connect(w.t, i)
	rows, err := c.Query(ctx, `
		SELECT database, table, groupArray(name)
		FROM (SELECT * FROM system.columns ORDER BY database, table, position)
		WHERE database IN ('telemetry', 'analytics', 'lapse') AND table NOT IN ('runs', 'migrations', 'audit')
			AND NOT startsWith(table, 'stage_') -- what a killed run leaves is swept after an hour
			AND NOT match(name, '(_at|^run|^item|^object|^as_of|^first_seen)$') -- random, keyed, or of the clock
		GROUP BY database, table
		ORDER BY database, table`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read only
	for rows.Next() {
		var database, table string
		var columns []string
		if err := rows.Scan(&database, &table, &columns); err != nil {
			w.t.Fatal(err)
		}
		var n, digest uint64
		name := fmt.Sprintf("`%s`.`%s`", database, table)
		final := ""
		if database == "lapse" && !strings.Contains("quarantine training", table) {
			final = " FINAL"
		}
		query := fmt.Sprintf("SELECT count(), groupBitXor(sipHash64(toString(tuple(`%s`)))) FROM %s%s", strings.Join(columns, "`, `"), name, final)
		if err := c.QueryRow(ctx, query).Scan(&n, &digest); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		_, _ = fmt.Fprintln(out, name, n, digest)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
}

func connect(t *testing.T, i *installation) driver.Conn {
	t.Helper()
	c, err := driver.Open(&driver.Options{
		Addr: []string{i.engine.Address},
		Auth: driver.Auth{Username: i.engine.User, Password: i.engine.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// objects lists what the buckets hold.
func (w *world) objects(out io.Writer) {
	w.t.Helper()
	for _, b := range w.settings().Buckets {
		err := filepath.WalkDir(b.Path, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, _ = fmt.Fprintln(out, strings.TrimPrefix(path, w.dir))
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// appendPolicy adds lines to the world's policy.
func (w *world) appendPolicy(lines string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "policy.yaml")
	policy, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(policy, lines...), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// inputs lists the input files.
func (w *world) inputs() string {
	w.t.Helper()
	var b bytes.Buffer
	err := filepath.WalkDir(filepath.Join(w.dir, "input"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, _ = fmt.Fprintln(&b, strings.TrimPrefix(path, w.dir))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

// identifiers returns the direct identifiers of this world's input that are long
// enough to be told from other text.
func (w *world) identifiers() map[string]bool {
	all := map[string]bool{}
	for _, id := range w.truth.Identifiers() {
		if len(id) >= 7 {
			all[id] = true
		}
	}
	return all
}

// findIdentifiers reports the identifiers that stand in a file, as words or within
// words.
func findIdentifiers(t *testing.T, path string, identifiers map[string]bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		text := lines.Text()
		for id := range identifiers {
			if strings.Contains(text, id) {
				t.Errorf("%s holds %q", path, id)
				return
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}
