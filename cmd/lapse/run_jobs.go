package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// runNamed runs a job and those that stand among the arguments behind it; the other
// arguments are paths of input.
func (a *app) runNamed(ctx context.Context, f runFlags, first sinks.JobKind, args []string) error {
	kinds, paths := []sinks.JobKind{first}, []string{}
	for _, arg := range args {
		if slices.Contains(config.ScheduledJobs, arg) {
			kinds = append(kinds, sinks.JobKind(arg))
		} else {
			paths = append(paths, arg)
		}
	}
	if len(paths) > 0 && !slices.ContainsFunc(kinds, readsInput) {
		return usageError{fmt.Errorf("%q is no job (%s), and %s takes no paths", paths[0], strings.Join(config.ScheduledJobs, ", "), first)}
	}
	if (f.plan != "" || len(f.datasets) > 0) && slices.ContainsFunc(kinds, readsInput) {
		return usageError{errors.New("--plan and --dataset are for anonymise and purge: input files belong to no dataset until they are read")}
	}
	return a.runJobs(ctx, f, inOrder(kinds), paths)
}

// runAll runs all jobs; those that read input only if there is any.
func (a *app) runAll(ctx context.Context, f runFlags, paths []string) error {
	kinds := []sinks.JobKind{sinks.JobAnonymise, sinks.JobPurge}
	switch {
	case f.plan == "" && len(f.datasets) == 0:
		f.all = true
		kinds = append(kinds, sinks.JobIngest, sinks.JobSubject)
	case len(paths) > 0:
		return usageError{errors.New("--plan and --dataset leave ingest out, so that there is nothing to do with paths")}
	}
	return a.runJobs(ctx, f, inOrder(kinds), paths)
}

func readsInput(kind sinks.JobKind) bool {
	return kind == sinks.JobIngest || kind == sinks.JobDispose
}

// inOrder sorts jobs into the order in which a record meets them, each once.
func inOrder(kinds []sinks.JobKind) (sorted []sinks.JobKind) {
	for _, name := range config.ScheduledJobs {
		if kind := sinks.JobKind(name); slices.Contains(kinds, kind) {
			sorted = append(sorted, kind)
		}
	}
	return sorted
}

// runJobs runs jobs one after the other and reports.
func (a *app) runJobs(ctx context.Context, f runFlags, kinds []sinks.JobKind, paths []string) error {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	plan, asOf, err := f.approved(i.policy)
	if err != nil {
		return err
	}
	if err := checkDatasets(i.policy, f.datasets); err != nil {
		return err
	}
	if f.all && len(paths) == 0 && len(i.inputs()) == 0 {
		kinds = slices.DeleteFunc(kinds, readsInput) // there is none
	}
	if f.dryRun {
		return i.dryRun(ctx, f, kinds, paths, asOf)
	}
	series := &series{installation: i, flags: f, paths: paths, plan: plan, asOf: asOf}
	series.run(ctx, kinds)
	return errors.Join(series.print(), series.verdict())
}

// checkDatasets refuses names that the policy does not have.
func checkDatasets(p *config.Policy, names []string) error {
	for _, name := range names {
		if _, ok := p.Dataset(name); !ok && name != sinks.TrainingDataset && name != sinks.QuarantineDataset {
			return usageError{fmt.Errorf("--dataset: the policy has no dataset %q; 'lapse policy show' lists them, and there are %s and %s", name, sinks.TrainingDataset, sinks.QuarantineDataset)}
		}
	}
	return nil
}

// dryRun shows what jobs would do.
func (i *installation) dryRun(ctx context.Context, f runFlags, kinds []sinks.JobKind, paths []string, asOf time.Time) error {
	var steps []jobs.Step
	var errs *multierror.Error
	for _, kind := range kinds {
		m := newMeter(i.app.errors, i.app.log, i.app.output == "json")
		job, err := i.job(ctx, f, kind, paths, m)
		if err == nil {
			var more []jobs.Step
			more, err = job.Plan(ctx, asOf)
			steps = append(steps, jobs.OfDatasets(more, f.datasets)...)
		}
		m.stop()
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	if err := errors.Join(errs.ErrorOrNil(), i.dropStdin()); err != nil {
		return err
	}
	p, err := jobs.NewPlan(i.policy, asOf, steps)
	if err != nil {
		return err
	}
	return i.app.printPlan(p)
}

// series is a number of jobs that are run one after the other.
type series struct {
	*installation
	flags runFlags
	paths []string
	plan  *jobs.Plan // nil: none was approved
	asOf  time.Time
	stop  <-chan struct{}

	reports []*jobs.Report
	several bool
	done    int // jobs without an error
	errs    *multierror.Error
}

// run runs the jobs. Only what concerns all of them, the audit log or the end of ctx,
// ends the series.
func (s *series) run(ctx context.Context, kinds []sinks.JobKind) {
	s.several = len(kinds) > 1
	ctx, stop, release := gracefully(ctx)
	defer release()
	s.stop = stop
	for _, kind := range kinds {
		report, err := s.one(ctx, kind)
		if report != nil {
			s.reports = append(s.reports, report)
			err = verdict(report, err)
		}
		if err == nil {
			s.done++
			continue
		}
		if s.several {
			err = fmt.Errorf("%s: %w", kind, err)
		}
		s.errs = multierror.Append(s.errs, err)
		if errors.Is(err, jobs.ErrAudit) || errors.Is(err, context.Canceled) || ctx.Err() != nil {
			return
		}
	}
}

// one runs one job.
func (s *series) one(ctx context.Context, kind sinks.JobKind) (*jobs.Report, error) {
	m := newMeter(s.app.errors, s.app.log, s.app.output == "json")
	defer m.stop()
	job, err := s.job(ctx, s.flags, kind, s.paths, m)
	if err != nil {
		return nil, err
	}
	if s.log == nil {
		if err := s.openLog(ctx); err != nil {
			return nil, err
		}
	}
	runner := s.runner(sinks.ActorOperator, m.observe(kind))
	runner.Stop = s.stop
	runner.Approved, runner.Tolerance, runner.Datasets = s.plan, s.flags.tolerance, s.flags.datasets
	return s.perform(ctx, runner, job, s.asOf)
}

// perform runs a job, and what follows it.
func (i *installation) perform(ctx context.Context, runner *jobs.Runner, job jobs.Job, asOf time.Time) (*jobs.Report, error) {
	report, err := runner.Run(ctx, job, asOf)
	if ingest, ok := job.(*jobs.Ingest); ok && report != nil {
		report.Unwanted = ingest.Unwanted()
		var failed error
		report.Then, failed = i.disposeAfter(ctx, runner, ingest, asOf)
		err = errors.Join(err, failed)
	}
	if _, ok := job.(*jobs.Subject); ok && report != nil && err == nil {
		err = goOn(ctx, runner, job, report, asOf)
	}
	if reconcile, ok := job.(*jobs.Reconcile); ok && report != nil {
		report.Findings = reconcile.Findings()
	}
	return report, err
}

// print says how the runs ended.
func (s *series) print() error {
	if s.app.output == "json" && s.several {
		return s.app.printJSON(map[string]any{"runs": append([]*jobs.Report{}, s.reports...)})
	}
	for _, r := range s.reports {
		if err := s.app.printReport(r); err != nil {
			return err
		}
	}
	return nil
}

// verdict is the error that decides the exit code: of several jobs of which some did
// not fail, that of a partial success.
func (s *series) verdict() error {
	err := s.errs.ErrorOrNil()
	switch {
	case err == nil:
		return nil
	case !s.several || len(s.errs.Errors) == 1 && s.done == 0:
		return s.errs.Errors[0]
	}
	s.errs.ErrorFormat = onePerLine
	if s.done == 0 || errors.Is(err, jobs.ErrAudit) || errors.Is(err, context.Canceled) {
		return err
	}
	if !slices.ContainsFunc(s.errs.Errors, func(err error) bool { return exitCode(err) != exitOverdue }) {
		return err
	}
	return fmt.Errorf("%w: %s", errPartial, err.Error()) // which kind of failure no longer counts
}

// onePerLine writes several errors, one a line.
func onePerLine(errs []error) string {
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}
