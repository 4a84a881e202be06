package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// everySecond schedules each job so often that whatever goes wrong does so soon.
const everySecond = `
schedule:
  - {job: ingest, spec: "@every 1s"}
  - {job: anonymise, spec: "* * * * * *", overlap: queue}
  - {job: purge, spec: "@every 1s", jitter: PT1S}
spool: {segment_age: PT1S}
`

// appendSettings adds lines to the world's settings.
func (w *world) appendSettings(lines string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "lapse.yaml")
	settings, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(settings, lines...), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// history reads the runs of a world, by their start.
func (w *world) history() (runs []sinks.RunRecord) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.must("runs", "--limit", "0", "--output", "json")), &runs); err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(runs, func(a, b sinks.RunRecord) int { return a.StartedAt.Compare(b.StartedAt) })
	return runs
}

// figures reads the metrics of a service, without their labels: those of one name are
// added up.
func (s *served) figures() map[string]float64 {
	s.t.Helper()
	answer, err := http.Get(s.Address + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	figures := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, "#") {
			continue
		}
		if at := strings.IndexByte(name, '{'); at >= 0 {
			value = lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:]
			name = name[:at]
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			s.t.Fatalf("%s: %v", lines.Text(), err)
		}
		figures[name] += v
	}
	return figures
}

// await asks until it is so, or fails the test.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// ready reports whether the service says that it can do its work.
func (s *served) ready() bool {
	answer, err := http.Get(s.Address + "/readyz")
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// sender sends batches of events until it is stopped, and counts those that were
// acknowledged.
type sender struct {
	stop  chan struct{}
	group sync.WaitGroup
	acked int
}

func startSender(t *testing.T, address string) *sender {
	s := &sender{stop: make(chan struct{})}
	s.group.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-s.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			ids := []string{fmt.Sprint(n, "-a"), fmt.Sprint(n, "-b"), fmt.Sprint(n, "-c")}
			status, err := send(address, ids)
			if err != nil || status != http.StatusOK {
				t.Errorf("answered with %d, %v", status, err)
				return
			}
			s.acked += len(ids)
		}
	})
	return s
}

func (s *sender) end() int {
	close(s.stop)
	s.group.Wait()
	return s.acked
}

// stored counts the rows of the world's events, and its people.
func (w *world) stored() (rows, people uint64) {
	w.t.Helper()
	w.read("SELECT count(), uniqExact(user_id) FROM telemetry.events", func(scan func(...any) error) error { return scan(&rows, &people) })
	return rows, people
}

// storedNow counts the rows of the world's events; 0 while the engine does not answer.
func (w *world) storedNow() uint64 {
	w.t.Helper()
	out, err := w.command("status", "--output", "json").Output()
	if err != nil {
		return 0
	}
	var s struct{ Datasets []sinks.DatasetStatus }
	if err := json.Unmarshal(out, &s); err != nil {
		w.t.Fatal(err)
	}
	return s.Datasets[slices.IndexFunc(s.Datasets, func(d sinks.DatasetStatus) bool { return d.Dataset == "events" })].Personal
}

// TestServiceStaysAsItIsUnderConstantWork has the jobs run each second while events
// come in: no two runs of a job at once, none left out, and no goroutine, file or memory
// more at the end than at the beginning. It takes 10 minutes where LAPSE_SOAK is set.
func TestServiceStaysAsItIsUnderConstantWork(t *testing.T) {
	t.Parallel()
	length := 20 * time.Second
	if os.Getenv("LAPSE_SOAK") != "" {
		length = 10 * time.Minute
	}
	w := newInstallation(t)
	w.appendSettings(everySecond)
	s := serveIn(t, w.dir, "LAPSE_LOG_LEVEL=info")
	await(t, "readiness", s.ready)
	senders := startSender(t, s.Address)
	var goroutines, files, memory []float64
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(length / 40) {
		f := s.figures()
		goroutines, files, memory = append(goroutines, f["go_goroutines"]), append(files, f["process_open_fds"]), append(memory, f["go_memstats_heap_inuse_bytes"]/(1<<20))
	}
	acked := senders.end()
	ended := s.figures()
	log := s.end()
	steady(t, "goroutines", goroutines, 20)
	steady(t, "open files", files, 20)
	steady(t, "MiB of heap", memory, 32)
	if strings.Contains(log, "level=ERROR") {
		t.Errorf("the log has errors:\n%s", log)
	}
	w.ingested()
	if rows, people := w.stored(); rows != uint64(acked) || people != uint64(acked) {
		t.Errorf("%d rows of %d people are stored, %d were acknowledged", rows, people, acked)
	}
	runs := map[sinks.JobKind][]sinks.RunRecord{}
	for _, r := range w.history() {
		if r.Actor == sinks.ActorScheduler && !r.ScheduledFor.IsZero() {
			runs[r.Job] = append(runs[r.Job], r)
		}
	}
	for _, job := range []sinks.JobKind{sinks.JobIngest, sinks.JobAnonymise, sinks.JobPurge} {
		followed(t, runs[job], length)
	}
	t.Logf("%d events; %g runs, %g left out; goroutines %v; files %v; MiB %.1f", acked, ended["lapse_runs_total"], ended["lapse_runs_skipped_total"], goroutines, files, memory)
}

// steady fails the test if the last quarter of the figures is far above the second.
func steady(t *testing.T, what string, figures []float64, slack float64) {
	t.Helper()
	quarter := len(figures) / 4
	early, late := slices.Max(figures[quarter:2*quarter]), slices.Min(figures[3*quarter:])
	if late > early+slack {
		t.Errorf("%s grow: %v", what, figures)
	}
}

// followed fails the test if two runs of a job overlap, or a time passed at which it
// neither began nor was at work.
func followed(t *testing.T, runs []sinks.RunRecord, length time.Duration) {
	t.Helper()
	const late = 5 * time.Second // of a busy machine; a missed run would never come
	if len(runs) < int(length/(5*time.Second)) {
		t.Fatalf("%d runs in %s", len(runs), length)
	}
	for i, r := range runs {
		if r.Result == sinks.ResultFailed && r.Error != sinks.ErrorInterrupted {
			t.Errorf("%s for %s: %s", r.Job, r.ScheduledFor, r.Error)
		}
		if i == 0 {
			continue
		}
		before := runs[i-1]
		if r.StartedAt.Before(before.EndedAt) {
			t.Errorf("%s began at %s, when that of %s had not ended (%s)", r.Job, r.StartedAt, before.StartedAt, before.EndedAt)
		}
		if r.ScheduledFor.Before(before.ScheduledFor) {
			t.Errorf("%s for %s came after that for %s", r.Job, r.ScheduledFor, before.ScheduledFor)
		}
		if r.StartedAt.Sub(before.EndedAt) > late {
			t.Errorf("%s: nothing between %s and %s", r.Job, before.EndedAt, r.StartedAt)
		}
	}
}

// TestServiceCatchesUpAfterClickHouseWasGone kills the engine under load, as the
// system does when memory is short, and more than once.
func TestServiceCatchesUpAfterClickHouseWasGone(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.appendSettings(everySecond)
	s := serveIn(t, w.dir, "LAPSE_LOG_LEVEL=info")
	await(t, "readiness", s.ready)
	senders := startSender(t, s.Address)
	for range 3 {
		var before uint64
		await(t, "something to be stored", func() bool { before = w.storedNow(); return before > 0 })
		w.killEngine()
		await(t, "more to be stored", func() bool { return w.storedNow() > before })
	}
	acked := senders.end()
	await(t, "all to be stored", func() bool { return w.storedNow() >= uint64(acked) })
	s.end()
	w.ingested()
	if rows, people := w.stored(); rows != uint64(acked) || people != uint64(acked) {
		t.Errorf("%d rows of %d people are stored, %d were acknowledged", rows, people, acked)
	}
	if verified := w.must("audit", "verify"); strings.Contains(verified, "have not ended") {
		t.Errorf("steps are open:\n%s", verified)
	}
}

// killEngine kills the engine of the world, as kill -9 does: the next one, if it is just
// between two.
func (w *world) killEngine() {
	w.t.Helper()
	await(w.t, "an engine to be killed", func() bool {
		found, err := filepath.Glob(filepath.Join(w.dir, "data", "clickhouse", "*.json"))
		if err != nil || len(found) > 1 {
			w.t.Fatal(found, err)
		}
		if len(found) == 0 {
			return false
		}
		raw, err := os.ReadFile(found[0])
		if errors.Is(err, fs.ErrNotExist) {
			return false
		}
		var c struct {
			EnginePID int `json:"engine_pid"`
		}
		if err == nil {
			err = json.Unmarshal(raw, &c)
		}
		if err != nil || c.EnginePID < 2 {
			w.t.Fatal(c, err)
		}
		err = syscall.Kill(c.EnginePID, syscall.SIGKILL)
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			w.t.Fatal(err)
		}
		return err == nil
	})
}

// TestMissedRunsAreMadeUpForByOne starts a service long after its last run.
func TestMissedRunsAreMadeUpForByOne(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.appendSettings("schedule:\n  - {job: purge, spec: '@every 24h'}\n  - {job: anonymise, spec: '@every 24h'}\n")
	i, err := w.opener().open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ago := time.Now().AddDate(0, 0, -40).UTC()
	err = i.store.RecordRun(t.Context(), sinks.RunRecord{
		Run: sinks.NewID(), Job: sinks.JobPurge, Actor: sinks.ActorScheduler, ScheduledFor: ago.Truncate(24 * time.Hour),
		AsOf: ago, StartedAt: ago, EndedAt: ago, Result: sinks.ResultDone,
	})
	if err := errors.Join(err, i.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second has nothing to make up for
		s := serveIn(t, w.dir, "LAPSE_COLLECTOR_WRITE_KEYS=")
		await(t, "readiness", s.ready)
		await(t, "the run", func() bool { return len(w.history()) > 1 })
		s.end()
	}
	runs := w.history()
	if len(runs) != 2 {
		t.Fatalf("%+v", runs)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if r := runs[1]; r.Job != sinks.JobPurge || !r.ScheduledFor.Equal(today) && !r.ScheduledFor.Equal(today.AddDate(0, 0, -1)) {
		t.Errorf("%+v", r)
	}
}

// TestServicesAndCommandsRunAJobOnceAtATime has two services and commands work on the
// same installation.
func TestServicesAndCommandsRunAJobOnceAtATime(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.appendSettings(everySecond)
	var services []*served
	for range 2 {
		services = append(services, serveIn(t, w.dir, "LAPSE_COLLECTOR_WRITE_KEYS="))
	}
	for _, s := range services {
		await(t, "readiness", s.ready)
	}
	for range 5 {
		w.must("run", "all")
	}
	await(t, "runs by the schedule", func() bool {
		scheduled := slices.DeleteFunc(w.history(), func(r sinks.RunRecord) bool { return r.Actor != sinks.ActorScheduler })
		return len(scheduled) >= 10
	})
	for _, s := range services {
		s.end()
	}
	last, actors := map[sinks.JobKind]sinks.RunRecord{}, map[sinks.Actor]int{}
	for _, r := range w.history() {
		if before := last[r.Job]; r.StartedAt.Before(before.EndedAt) {
			t.Errorf("%s of %s began at %s, when that of %s had not ended (%s)", r.Job, r.Actor, r.StartedAt, before.Actor, before.EndedAt)
		}
		last[r.Job] = r
		actors[r.Actor]++
	}
	if actors[sinks.ActorOperator] < 10 || actors[sinks.ActorScheduler] < 10 {
		t.Errorf("%v", actors)
	}
}

// TestPolicyIsReloadedOnRequest changes the policy of a service that runs.
func TestPolicyIsReloadedOnRequest(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.appendSettings(everySecond)
	policy := filepath.Join(w.dir, "policy.yaml")
	original, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	change := func(content string) {
		t.Helper()
		if err := os.WriteFile(policy, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serveIn(t, w.dir)
	await(t, "readiness", s.ready)
	reloads := func(n float64) {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, "reload", func() bool { return s.figures()["lapse_policy_reloads_total"] == n })
	}
	adopted := func() int { return strings.Count(w.must("audit", "log", "--action", "adopt_policy"), "adopt_policy") }
	reloads(1) // nothing has changed
	change(string(original) + "\nno: such key\n")
	reloads(2)
	if n := adopted(); n != 0 {
		t.Errorf("%d entries about a policy that was not adopted", n)
	}
	changed := strings.Replace(string(original), "\nversion: \"", "\nversion: \"x", 1)
	change(changed)
	reloads(3)
	if n := adopted(); n != 2 {
		t.Errorf("%d entries about the new policy, want an intent and an outcome", n)
	}
	begun := time.Now()
	await(t, "runs by the new policy", func() bool {
		runs := w.history()
		latest := slices.MaxFunc(runs, func(a, b sinks.RunRecord) int { return cmp.Compare(a.StartedAt.UnixNano(), b.StartedAt.UnixNano()) })
		return latest.StartedAt.After(begun) && strings.HasPrefix(latest.PolicyVersion, "x")
	})
	if log := s.end(); !strings.Contains(log, "the policy was not reloaded, the last one holds") {
		t.Errorf("the log does not mention the fault:\n%s", log)
	}
}
