package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// failing is a real audit log of which one Append fails, before or after it is
// done, as a disk does that is full at that moment.
type failing struct {
	*auditlog.Log
	persisted bool

	mu  sync.Mutex
	at  int // counted from 1
	met bool
}

var errDisk = errors.New("no space left on device")

func (f *failing) Append(ctx context.Context, entries ...*sinks.Entry) error {
	f.mu.Lock()
	f.at--
	fail := f.at == 0
	f.met = f.met || fail
	f.mu.Unlock()
	if fail && !f.persisted {
		return errDisk
	}
	err := f.Log.Append(ctx, entries...)
	if fail {
		err = errors.Join(err, errDisk)
	}
	return err
}

// office is an installation with a little data, all of whose windows have passed.
type office struct {
	*audited
	policy  *config.Policy
	locks   filelock.Locks
	input   string
	buckets map[string]sinks.Bucket
}

var (
	officeReceived = time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	officeExpired  = time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
)

func newOffice(t *testing.T, input string) *office {
	t.Helper()
	o := &office{audited: newAudited(t), policy: sinktest.Policy(t, config.Facesoft), input: input}
	var err error
	if o.locks, err = filelock.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	objects := t.TempDir()
	if err := os.CopyFS(objects, os.DirFS(filepath.Join(input, "bucket"))); err != nil {
		t.Fatal(err)
	}
	folder, err := bucket.OpenFolder(objects)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	o.buckets = map[string]sinks.Bucket{"training": folder}
	return o
}

// officeInput writes a month of a few people's traffic.
func officeInput(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := traffic.Default()
	c.Months, c.People, c.Organisations, c.Events, c.AccessLines, c.Images, c.Compression = 1, 12, 1, 240, 60, 4, traffic.None
	_, err := traffic.Generate(t.Context(), c, func(name string) (io.WriteCloser, error) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		return os.Create(path)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (o *office) job(kind sinks.JobKind) (jobs.Job, time.Time) {
	switch kind {
	case sinks.JobIngest:
		var paths []string
		for _, kind := range []string{"telemetry", "access", "training"} {
			paths = append(paths, filepath.Join(o.input, kind))
		}
		return &jobs.Ingest{Policy: o.policy, Inputs: bucket.NewFiles(paths...), Intake: o.store, Ledger: o.store, Locks: o.locks}, officeReceived
	case sinks.JobAnonymise:
		return &jobs.Anonymise{Policy: o.policy, Personal: o.store, Publish: o.store, Locks: o.locks}, officeExpired
	}
	return &jobs.Purge{Policy: o.policy, Personal: o.store, Subjects: o.store, Register: o.store, Inventory: o.store, Buckets: o.buckets, Locks: o.locks}, officeExpired
}

func (o *office) run(t *testing.T, kind sinks.JobKind, log sinks.AuditLog) error {
	t.Helper()
	job, asOf := o.job(kind)
	_, err := o.runner(log).Run(t.Context(), job, asOf)
	return err
}

func (o *office) runner(log sinks.AuditLog) *jobs.Runner {
	return &jobs.Runner{Policy: o.policy, Log: log, Copy: o.copier(o.store), Locks: o.locks, History: o.store, Actor: sinks.ActorOperator}
}

func (o *office) mustRun(t *testing.T, kind sinks.JobKind) {
	t.Helper()
	if err := o.run(t, kind, o.log); err != nil {
		t.Fatal(err)
	}
}

// holdings counts the rows of each partition, and of what has no partitions.
func (o *office) holdings(t *testing.T) map[string]sinks.Holding {
	t.Helper()
	all := map[string]sinks.Holding{}
	for _, d := range o.policy.Datasets {
		parts, err := o.store.Partitions(t.Context(), d.Name, sinks.DayOf(officeExpired))
		if err != nil {
			t.Fatal(err)
		}
		var list []sinks.Partition
		for _, p := range parts {
			list = append(list, p.Partition)
		}
		held, err := o.store.Holdings(t.Context(), d.Name, list)
		if err != nil {
			t.Fatal(err)
		}
		for p, h := range held {
			all[d.Name+" "+p.String()] = h
		}
	}
	return all
}

// objects lists what is left of the training data.
func (o *office) objects(t *testing.T) (keys []string) {
	t.Helper()
	err := o.buckets["training"].(*bucket.Folder).List(t.Context(), "", func(object sinks.Object) error {
		keys = append(keys, object.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// announced returns the partitions that the log's intents are about, and how many
// intents there are of each action.
func (o *office) announced(t *testing.T) (partitions map[string]bool, actions map[sinks.Action]int) {
	t.Helper()
	partitions, actions = map[string]bool{}, map[sinks.Action]int{}
	for r, err := range auditlog.Entries(t.Context(), auditlog.ReadFolder(o.dir), auditlog.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Entry; e.Phase == sinks.Intent {
			actions[e.Action]++
			if e.Partition != nil {
				partitions[e.Dataset.String()+" "+e.Partition.String()] = true
			}
		}
	}
	return partitions, actions
}

// mustBeAnnounced fails the test if something has happened that the log does not
// announce.
func (o *office) mustBeAnnounced(t *testing.T, before map[string]sinks.Holding, objects []string) {
	t.Helper()
	after := o.holdings(t)
	partitions, actions := o.announced(t)
	if len(after) > len(before) && actions[sinks.ActionIngestSource] == 0 {
		t.Errorf("%d partitions were taken in, and nothing announced that", len(after)-len(before))
	}
	for target, held := range before {
		if after[target] != held && !partitions[target] {
			t.Errorf("%s was %+v and is %+v, which nothing announced", target, held, after[target])
		}
	}
	if left := o.objects(t); len(left) < len(objects) && actions[sinks.ActionPurgeItem] == 0 {
		t.Errorf("%d of %d objects are left, and nothing announced that", len(left), len(objects))
	}
}

// mustHaveEnded fails the test unless every step has ended, in the log and in its
// copy.
func (o *office) mustHaveEnded(t *testing.T) {
	t.Helper()
	key, err := auditlog.ParseVerifier(o.key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	r, err := auditlog.Verify(t.Context(), auditlog.ReadFolder(o.dir), key, auditlog.VerifyOptions{})
	if err != nil || r.OpenSteps > 0 {
		t.Errorf("%v, %+v", err, r)
	}
	if c := o.mustCompare(t, false); !c.Agrees() {
		t.Errorf("the copy: %+v", c)
	}
}

// TestNoEffectWithoutADurableIntent lets each Append of a run fail, by turns before
// and after it is done, and in the soak in both ways: nothing has happened that was
// not announced durably, the run ends with its own error, and the next one ends
// where an undisturbed one does (I1, I7).
func TestNoEffectWithoutADurableIntent(t *testing.T) {
	t.Parallel()
	input := officeInput(t)
	for _, kind := range []sinks.JobKind{sinks.JobIngest, sinks.JobAnonymise, sinks.JobPurge} {
		t.Run(string(kind), func(t *testing.T) {
			d := newDisturbance(t, input, kind)
			for at := 1; ; at++ {
				long := os.Getenv("LAPSE_SOAK") != ""
				if !long && at > 8 && at%8 > 1 { // a quarter of the later ones, in both ways
					continue
				}
				met := d.run(t, at, at%2 == 0)
				if met && long {
					met = d.run(t, at, at%2 == 1)
				}
				if t.Failed() {
					return
				}
				if !met {
					if at < 5 {
						t.Errorf("the run has %d appends", at-1)
					}
					return
				}
			}
		})
	}
}

// disturbance is a job with what it finds and what it leaves when nothing fails.
type disturbance struct {
	input           string
	kind            sinks.JobKind
	before, after   map[string]sinks.Holding
	objects, spared []string
}

func newDisturbance(t *testing.T, input string, kind sinks.JobKind) *disturbance {
	t.Helper()
	d := &disturbance{input: input, kind: kind}
	o := d.office(t)
	d.before, d.objects = o.holdings(t), o.objects(t)
	o.mustRun(t, kind)
	d.after, d.spared = o.holdings(t), o.objects(t)
	if maps.Equal(d.before, d.after) && slices.Equal(d.objects, d.spared) {
		t.Fatal("nothing was due: the test shows nothing")
	}
	return d
}

// office returns an office in which the job is due.
func (d *disturbance) office(t *testing.T) *office {
	t.Helper()
	o := newOffice(t, d.input)
	if d.kind != sinks.JobIngest {
		o.mustRun(t, sinks.JobIngest)
	}
	return o
}

// run lets one Append fail. It reports whether there was one.
func (d *disturbance) run(t *testing.T, at int, persisted bool) (met bool) {
	t.Helper()
	t.Run(fmt.Sprintf("append %d, persisted %v", at, persisted), func(t *testing.T) { // its databases end with it
		met = d.disturb(t, at, persisted)
	})
	return met
}

func (d *disturbance) disturb(t *testing.T, at int, persisted bool) (met bool) {
	t.Helper()
	o := d.office(t)
	f := &failing{Log: o.log, at: at, persisted: persisted}
	err := o.run(t, d.kind, f)
	if !f.met {
		if err != nil {
			t.Errorf("undisturbed: %v", err)
		}
		return false
	}
	if !errors.Is(err, jobs.ErrAudit) || !errors.Is(err, errDisk) {
		t.Errorf("append %d: %v", at, err)
	}
	o.mustBeAnnounced(t, d.before, d.objects)
	o.mustRun(t, d.kind)
	if got := o.holdings(t); !maps.Equal(got, d.after) || !slices.Equal(o.objects(t), d.spared) {
		t.Errorf("append %d, persisted %v: after the next run\n%v, want\n%v", at, persisted, got, d.after)
	}
	o.mustHaveEnded(t)
	return true
}

// interrupting cancels a run while it appends.
type interrupting struct {
	*auditlog.Log
	at     int
	cancel context.CancelFunc
}

func (i *interrupting) Append(ctx context.Context, entries ...*sinks.Entry) error {
	if i.at--; i.at == 0 {
		i.cancel()
	}
	return i.Log.Append(ctx, entries...)
}

// TestInterruptionIsNotTheLogsFault cancels a run at its first intent: that ends it
// as an interruption, which the log can still tell.
func TestInterruptionIsNotTheLogsFault(t *testing.T) {
	t.Parallel()
	o := newOffice(t, officeInput(t))
	job, asOf := o.job(sinks.JobIngest)
	ctx, cancel := context.WithCancel(t.Context())
	r := o.runner(&interrupting{Log: o.log, at: 2, cancel: cancel})
	_, err := r.Run(ctx, job, asOf)
	if !errors.Is(err, context.Canceled) || errors.Is(err, jobs.ErrAudit) {
		t.Errorf("%v, want an interruption", err)
	}
	for e, err := range o.log.Backwards(t.Context()) {
		if err != nil || e.Action != sinks.ActionRun || e.Phase != sinks.Outcome || e.Error != sinks.ErrorInterrupted {
			t.Errorf("the newest entry is %+v, %v; want the run's interrupted end", e, err)
		}
		break
	}
	o.mustRun(t, sinks.JobIngest)
	o.mustHaveEnded(t)
}
