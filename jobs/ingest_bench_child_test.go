package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/keyring"
	"github.com/facesoft/lapse/sinks/sinktest"
)

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
		keys, err := keyring.Open(filepath.Join(task.Dir, "keys"))
		if err != nil {
			return nil, err
		}
		job.Keys = keys
		if job.Gate, err = jobs.NewGate(b.Context(), o.Policy, s, s, jobs.GateKeys{Consents: sinks.LedgerKey{1}, Erasures: jobs.ErasureKeys{Policy: o.Policy, Keyring: keys}}); err != nil {
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
