package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Runner runs jobs. It is the one place that orders lock, intent, execution and
// outcome.
type Runner struct {
	Policy *config.Policy
	Log    sinks.AuditLog
	Copy   *AuditCopier // nil: none
	// Locks keep the runs of a job on this machine apart; Lease does so over machines,
	// where there is one in place of them.
	Locks sinks.Locker
	Lease sinks.Lease
	// NoWait makes a run end at once, with sinks.ErrHeld, where the job runs already.
	// It needs Lease.
	NoWait  bool
	History sinks.RunHistory
	// Activations remembers which versions of the policy were carried out. It may be nil.
	Activations sinks.PolicyActivations
	Actor       sinks.Actor
	Program     string // version, for the run history
	// Approved restricts a run to the steps of a plan that somebody has looked at, as
	// long as their rows have not changed by more than Tolerance (a share). It may be
	// nil.
	Approved  *Plan
	Tolerance float64
	// Datasets restricts what is planned to these, where there are any; training items
	// and the quarantine go by sinks.TrainingDataset and sinks.QuarantineDataset. What an
	// earlier run has left open is finished all the same.
	Datasets []string
	// ScheduledFor is the time of the schedule that the run is for, if it is for one.
	ScheduledFor time.Time
	// KeepRuns is for how long runs are remembered; for ever if it is zero.
	KeepRuns config.Period
	// Stop, when it is closed, keeps a run from beginning another step. It may be nil.
	Stop <-chan struct{}
	// Observe is told what happens, for progress bars and logs, one thing at a time.
	// It may be nil.
	Observe func(Event)
}

// Event is something that an observer of a run may want to show.
type Event struct {
	Waiting bool     // another run of the job has to end first
	Planned int      // steps that lie ahead, when they become known
	Done    *Outcome // a step that has ended
}

// ErrAudit means that the audit log could not be read or written. Nothing happens
// without it, so the run ends at once.
var ErrAudit = errors.New("the audit log cannot be written, so nothing more is done")

// Run runs a job for the policy as of a time. A report comes with every error
// that met single steps; those do not keep others from being done.
func (r *Runner) Run(ctx context.Context, job Job, asOf time.Time) (report *Report, err error) {
	ctx, span := tracer.Start(ctx, "run "+string(job.Kind()), trace.WithAttributes(attribute.String("lapse.policy_version", r.Policy.Version)))
	defer func() { endRun(span, report, err) }()
	ctx, release, err := r.hold(ctx, string(job.Kind()))
	if err != nil {
		return nil, err
	}
	defer release()
	defer r.Copy.Follow(ctx)()
	n := &run{Runner: r, job: job, asOf: asOf.UTC().Truncate(time.Millisecond)}
	n.report = &Report{Run: sinks.NewID(), Job: job.Kind(), AsOf: n.asOf, Started: time.Now().UTC()}
	interrupted, err := n.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err = n.activate(ctx); err == nil {
		err = n.work(ctx, interrupted)
	}
	return n.report, errors.Join(err, n.end(context.WithoutCancel(ctx), err))
}

// errStopped means that a run was asked to begin nothing more.
var errStopped = fmt.Errorf("the program is ending, the next run goes on: %w", context.Canceled)

// hold keeps other runs of the job out. Who waits for one of them to end, and is asked
// to begin nothing more, does not wait any longer.
func (r *Runner) hold(ctx context.Context, name string) (context.Context, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	got := make(chan struct{})
	go func() {
		select {
		case <-r.Stop:
			cancel()
		case <-got:
		}
	}()
	held, unlock, err := ctx, func() {}, error(nil)
	if r.Lease != nil {
		held, unlock, err = r.Lease.Hold(ctx, name, false)
		if errors.Is(err, sinks.ErrHeld) && !r.NoWait {
			r.observe(Event{Waiting: true})
			held, unlock, err = r.Lease.Hold(ctx, name, true)
		}
	} else {
		unlock, err = r.Locks.Lock(ctx, name)
	}
	close(got)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return held, func() {
		unlock()
		cancel()
	}, nil
}

// run is one run of a job.
type run struct {
	*Runner
	job    Job
	asOf   time.Time
	report *Report

	mu     sync.Mutex // guards what follows, and the report, while batches run side by side
	errs   *multierror.Error
	untold int // errors that are not among them
	failed int // outcomes of steps that failed, among those that are told
}

// begin announces the run and returns the steps that earlier runs have announced
// but not ended.
func (n *run) begin(ctx context.Context) ([]Step, error) {
	open, err := n.openIntents(ctx)
	if err != nil {
		return nil, err
	}
	entries := []*sinks.Entry{n.runEntry(sinks.Intent)}
	var steps []Step
	for _, e := range open {
		if e.Action == sinks.ActionRun { // its process has died, or we would not have the lock
			closing := *e
			closing.Phase, closing.Result, closing.Error = sinks.Outcome, sinks.ResultAbandoned, sinks.ErrorInterrupted
			entries = append(entries, &closing)
			continue
		}
		steps = append(steps, stepOf(e))
	}
	return steps, n.append(ctx, entries...)
}

// activate notes, once, that a version of the policy is carried out (C17).
func (n *run) activate(ctx context.Context) error {
	if n.Activations == nil || !InEffect(n.Policy, n.asOf) {
		return nil
	}
	ref := PolicyRef(n.Policy)
	known, err := n.Activations.Activated(ctx, ref)
	if err != nil || known {
		return err
	}
	intent := n.stamp(&sinks.Entry{Action: sinks.ActionActivatePolicy, Step: sinks.HashID(string(sinks.ActionActivatePolicy), ref.Hash.String())}, sinks.Intent)
	outcome := *intent
	outcome.Phase, outcome.Result = sinks.Outcome, sinks.ResultDone
	if err := n.append(ctx, intent, &outcome); err != nil {
		return err
	}
	return n.Activations.RecordActivation(ctx, ref, n.report.Started)
}

// openIntents returns the intents of this kind of job without an outcome, oldest
// first. It reads back to the beginning of the last run that ended, because that
// one had taken up whatever was open then.
func (n *run) openIntents(ctx context.Context) (open []*sinks.Entry, err error) {
	ended := map[sinks.ID]bool{}
	var last sinks.ID // the last run that ended
	for e, err := range n.Log.Backwards(ctx) {
		if err != nil {
			return nil, auditError(ctx, err)
		}
		if e.Job != n.job.Kind() {
			continue
		}
		if e.Phase == sinks.Outcome {
			if e.Action == sinks.ActionRun && e.Result != sinks.ResultAbandoned && last.IsZero() {
				last = e.Run
			}
			ended[e.Step] = true
			continue
		}
		if e.Action == sinks.ActionRun && e.Run == last {
			break
		}
		if !ended[e.Step] {
			ended[e.Step] = true
			open = append([]*sinks.Entry{e}, open...)
		}
	}
	return open, nil
}

// work plans and executes. Steps that were interrupted come first.
func (n *run) work(ctx context.Context, interrupted []Step) error {
	sinks.Failpoint(string(n.job.Kind()) + ".announced")
	planning, span := tracer.Start(ctx, "plan")
	defer span.End()
	for planned, err := range portions(planning, n.job, n.asOf) {
		endPlan(span, len(planned), err)
		if err != nil && (len(planned)+n.report.Steps == 0 || ctx.Err() != nil) {
			return err
		}
		n.unplanned(err)
		if planned, err = n.restrict(planned); err != nil {
			return err
		}
		left, err := n.carryOut(ctx, n.ready(interrupted, planned))
		if err != nil { // the audit log's: nothing more may happen
			return err
		}
		if left > 0 && ctx.Err() == nil {
			return errors.Join(n.failures(), errStopped)
		}
		if ctx.Err() != nil {
			break
		}
		interrupted = nil
	}
	return errors.Join(n.failures(), ctx.Err())
}

// restrict leaves out, of what is planned, what this run is not to do.
func (n *run) restrict(planned []Step) (_ []Step, err error) {
	planned = OfDatasets(planned, n.Datasets)
	if n.Approved != nil {
		due := len(planned)
		if planned, err = n.Approved.hold(PolicyRef(n.Policy), planned, n.Tolerance); err != nil {
			return nil, err
		}
		n.report.Left += due - len(planned)
	}
	if kind := n.job.Kind(); kind == sinks.JobAnonymise || kind == sinks.JobPurge {
		AwaitEffect(n.Policy, n.asOf, planned)
	}
	return planned, nil
}

// carryOut executes steps batch by batch, and returns how many of them it was asked not
// to begin.
func (n *run) carryOut(ctx context.Context, steps []Step) (left int, err error) {
	n.observe(Event{Planned: len(steps)})
	sinks.Failpoint(string(n.job.Kind()) + ".planned")
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(n.job.Parallel())
	for len(steps) > 0 && working.Err() == nil && !n.stopped() {
		size := min(max(n.job.Batch(steps), 1), len(steps))
		batch := steps[:size]
		group.Go(func() error { return n.execute(working, batch) })
		steps = steps[size:]
	}
	return len(steps), group.Wait()
}

// unplanned notes what could not be planned. It does not keep the rest from being
// done.
func (n *run) unplanned(err error) {
	if err == nil {
		return
	}
	n.report.Unplanned = 1
	var several *multierror.Error
	if errors.As(err, &several) {
		n.report.Unplanned = len(several.Errors)
	}
	n.fail(err)
}

// OfDatasets returns the steps that concern the named datasets, or all if none is
// named. It changes steps.
func OfDatasets(steps []Step, names []string) []Step {
	if len(names) == 0 {
		return steps
	}
	return slices.DeleteFunc(steps, func(s Step) bool { return !slices.Contains(names, s.DatasetName()) })
}

// stopped reports whether no further step may begin.
func (n *run) stopped() bool {
	select {
	case <-n.Stop:
		return true
	default:
		return false
	}
}

// ready puts the interrupted steps before the planned ones, each once, and sets
// those that must wait aside.
func (n *run) ready(interrupted, planned []Step) (steps []Step) {
	known := make(map[sinks.ID]bool, len(planned))
	for _, s := range planned {
		known[s.ID] = true
	}
	steps = make([]Step, 0, len(interrupted)+len(planned))
	for _, s := range interrupted {
		if !known[s.ID] {
			steps = append(steps, s)
		}
	}
	for _, s := range planned {
		if s.Blocked != "" {
			if n.report.Waiting++; len(n.report.Blocked) < told {
				n.report.Blocked = append(n.report.Blocked, s)
			}
			continue
		}
		steps = append(steps, s)
	}
	return steps
}

// execute carries out steps between their intents and their outcomes.
func (n *run) execute(ctx context.Context, steps []Step) error {
	entries := make([]*sinks.Entry, len(steps))
	for i, s := range steps {
		e, err := s.entry()
		if err != nil {
			return fmt.Errorf("announce %s: %w", s.Action, err)
		}
		entries[i] = n.stamp(e, sinks.Intent)
	}
	if err := n.append(ctx, entries...); err != nil {
		return err
	}
	sinks.Failpoint(string(n.job.Kind()) + ".intent")
	began := time.Now()
	working, span := startSteps(ctx, steps)
	outcomes := n.job.Execute(working, Session{n.report.Run, n.asOf}, steps)
	endSteps(span, outcomes)
	took := time.Since(began) / time.Duration(len(steps))
	sinks.Failpoint(string(n.job.Kind()) + ".executed")
	for i := range outcomes {
		o := &outcomes[i]
		o.Took = took
		closing := *entries[i]
		closing.Phase, closing.Result, closing.Error = sinks.Outcome, o.Result, sinks.ClassOf(o.Err)
		closing.Counts, closing.K, closing.Query, closing.Stages, closing.Object, closing.Locked = withoutZeros(o.Counts), o.K, o.Query, o.Stages, o.Object, o.LockedUntil
		entries[i] = &closing
		n.note(o)
	}
	// The outcome is written even if the run is being cancelled: the effect has
	// happened, or has not, either way.
	err := n.append(context.WithoutCancel(ctx), entries...)
	sinks.Failpoint(string(n.job.Kind()) + ".outcome")
	return err
}

// end writes the run's outcome.
func (n *run) end(ctx context.Context, err error) error {
	r := n.report
	r.Ended = time.Now().UTC()
	switch {
	case err != nil && r.Failed < r.Steps && r.Failed+r.Unplanned > 0:
		r.Result = sinks.ResultPartial
	case err != nil:
		r.Result = sinks.ResultFailed
	case r.Steps == 0:
		r.Result = sinks.ResultUnchanged
	default:
		r.Result = sinks.ResultDone
	}
	if errors.Is(err, ErrAudit) {
		return nil // there is nowhere to write to
	}
	e := n.runEntry(sinks.Outcome)
	e.Result, e.Error = r.Result, sinks.ClassOf(err)
	e.Counts = withoutZeros(map[sinks.Count]uint64{sinks.CountSteps: uint64(r.Steps), sinks.CountFailed: uint64(r.Failed)})
	if err := n.append(ctx, e); err != nil {
		return err
	}
	sinks.Failpoint(string(n.job.Kind()) + ".ended")
	if err := n.History.RecordRun(ctx, n.record(sinks.ClassOf(err))); err != nil || n.KeepRuns.IsZero() {
		return err
	}
	return n.History.PruneRuns(ctx, n.KeepRuns.Before(r.Ended, time.UTC))
}

// record is the run's line in the history.
func (n *run) record(class sinks.ErrorClass) sinks.RunRecord {
	r := n.report
	return sinks.RunRecord{
		Run: r.Run, Job: r.Job, Actor: n.Actor, ScheduledFor: n.ScheduledFor, AsOf: r.AsOf, StartedAt: r.Started, EndedAt: r.Ended,
		Result: r.Result, Error: class, Steps: uint64(r.Steps), Failed: uint64(r.Failed), Counts: withoutZeros(r.Counts()), Program: n.Program,
	}
}

func (n *run) runEntry(phase sinks.Phase) *sinks.Entry {
	return n.stamp(&sinks.Entry{Action: sinks.ActionRun, Step: n.report.Run}, phase)
}

// stamp fills in what all entries of a run have in common.
func (n *run) stamp(e *sinks.Entry, phase sinks.Phase) *sinks.Entry {
	e.Phase, e.Run, e.Job, e.Actor, e.AsOf = phase, n.report.Run, n.job.Kind(), n.Actor, n.asOf
	e.Policy = PolicyRef(n.Policy)
	return e
}

func (n *run) append(ctx context.Context, entries ...*sinks.Entry) error {
	if err := n.Log.Append(ctx, entries...); err != nil {
		return auditError(ctx, err)
	}
	return nil
}

// auditError tells a log that cannot be used from a run that is being cancelled.
func auditError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAudit, err)
}

func (r *Runner) observe(e Event) {
	if r.Observe != nil {
		r.Observe(e)
	}
}

// PolicyRef names a policy in the audit log.
func PolicyRef(p *config.Policy) sinks.PolicyRef {
	return sinks.PolicyRef{Hash: sinks.Digest(p.Hash), Name: sinks.MustName(p.Name), Version: sinks.MustName(p.Version)}
}

// target says in words what a step concerns.
func (s Step) target() string {
	parts := []string{string(s.Action)}
	if s.Dataset != "" {
		parts = append(parts, s.Dataset)
	}
	switch {
	case s.Partition != nil:
		parts = append(parts, s.Partition.String())
	case !s.Item.IsZero():
		parts = append(parts, s.Item.String())
	case !s.Source.IsZero():
		parts = append(parts, s.Source.String())
	}
	return strings.Join(parts, " ")
}

// Names in the audit log are lower case; clauses of a policy are not.
func clauseName(clause string) string { return strings.ToLower(clause) }

func clauseOf(n sinks.Name) string { return strings.ToUpper(n.String()) }
