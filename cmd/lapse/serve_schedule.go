package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// After a store did not answer a run is tried again after retryFirst, then after twice
// as long each time up to retryLast, until its next scheduled time comes.
const (
	retryFirst = 2 * time.Second
	retryLast  = 5 * time.Minute
)

// scheduler runs the jobs at their times. The clock is that of robfig/cron; whether a
// time counts, and who runs, is decided in package jobs.
type scheduler struct {
	stores  *stores
	metrics *web.Metrics
	log     *slog.Logger
	jobs    []*scheduledJob
	cron    *cron.Cron
	done    func() // called after each run

	work    context.Context // of the runs
	stop    <-chan struct{} // closed when nothing more may begin
	running sync.WaitGroup
}

// scheduledJob is a job with its schedule.
type scheduledJob struct {
	jobs.Schedule
	turns *jobs.Turns
}

// newScheduler returns the scheduler of the settings' jobs. Runs end with work, and
// none begins after stop is closed.
func newScheduler(work context.Context, stop <-chan struct{}, s *stores, m *web.Metrics, done func()) *scheduler {
	c := &scheduler{stores: s, metrics: m, log: s.app.log, work: work, stop: stop, done: done, cron: cron.New(cron.WithLocation(time.UTC), cron.WithLogger(cron.DiscardLogger))}
	for _, j := range s.app.settings.Schedule {
		job := &scheduledJob{jobs.Schedule{JobSchedule: j}, &jobs.Turns{Overlap: j.Overlap}}
		c.jobs = append(c.jobs, job)
		c.cron.Schedule(job, cron.FuncJob(func() { c.due(job, job.Latest(time.Now())) }))
		m.Scheduled(job.Kind(), job.Next(time.Now()))
	}
	return c
}

// Start makes up for what was missed while nobody ran, and begins to follow the
// schedule.
func (c *scheduler) Start() {
	now := time.Now()
	c.cron.Start()
	c.running.Go(func() { c.catchUp(now) })
}

// Wait returns when the last run has ended; nothing more begins.
func (c *scheduler) Wait() {
	<-c.cron.Stop().Done()
	c.running.Wait()
}

// catchUp runs each job once of which a scheduled time passed before now without a run.
func (c *scheduler) catchUp(now time.Time) {
	var last map[sinks.JobKind]time.Time
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		err := c.stores.Use(c.work, func(i *installation) (err error) {
			last, err = i.store.LastScheduled(c.work)
			return err
		})
		if err == nil {
			break
		}
		c.log.Warn("the run history cannot be read, so that missed runs are not known", "error", err)
		if !c.sleep(wait) {
			return
		}
	}
	for _, kind := range inOrder(c.kinds()) {
		for _, j := range c.jobs {
			if at, missed := j.Missed(last[kind], now); missed && j.Kind() == kind {
				c.log.Info("a run was missed and is made up for", "job", j.Job, "scheduled_for", at)
				c.due(j, at)
			}
		}
	}
}

func (c *scheduler) kinds() (kinds []sinks.JobKind) {
	for _, j := range c.jobs {
		kinds = append(kinds, j.Kind())
	}
	return kinds
}

// due runs a job for a scheduled time, if it is its turn.
func (c *scheduler) due(j *scheduledJob, at time.Time) {
	c.metrics.Scheduled(j.Kind(), j.Next(time.Now()))
	taken, err := j.turns.Take(at, func(at time.Time) error { return c.run(j, at) })
	switch {
	case err != nil:
		c.metrics.Ended(j.Kind(), sinks.ResultFailed, time.Now(), time.Now())
		c.log.Error("a run ended in a panic", "job", j.Job, "scheduled_for", at, "error", err)
	case !taken:
		c.metrics.Skipped(j.Kind(), "overlap")
		c.log.Info("the job still runs", "job", j.Job, "scheduled_for", at, "overlap", j.Overlap)
	}
}

// run runs a job for a scheduled time, again and again while a store does not answer.
// Its errors are logged and counted here.
func (c *scheduler) run(j *scheduledJob, at time.Time) error {
	if jitter := j.Jitter.Length(); jitter > 0 && !c.sleep(rand.N(jitter)) {
		return nil
	}
	for wait := retryFirst; c.mayBegin(); wait = min(2*wait, retryLast) {
		err := c.once(j, at)
		if !errors.Is(err, sinks.ErrUnavailable) || j.Next(time.Now()).Before(time.Now().Add(wait)) || !c.sleep(wait) {
			return nil
		}
	}
	return nil
}

// once runs a job.
func (c *scheduler) once(j *scheduledJob, at time.Time) error {
	ctx, cancel := context.WithTimeout(c.work, j.Timeout.Length())
	defer cancel()
	kind, started := j.Kind(), time.Now()
	c.metrics.Started(kind)
	var report *jobs.Report
	err := c.stores.Use(ctx, func(i *installation) (err error) {
		if readsInput(kind) && len(i.inputs()) == 0 {
			c.log.Debug("there is no input yet: none is set, and nothing was collected", "job", kind)
			return nil
		}
		m := &meter{log: c.log}
		job, err := i.job(ctx, runFlags{}, kind, nil, m)
		if err != nil {
			return err
		}
		runner := i.runner(sinks.ActorScheduler, c.observe(kind, m))
		runner.NoWait, runner.ScheduledFor, runner.Stop = true, at, c.stop
		report, err = i.perform(ctx, runner, job, time.Now().UTC())
		return err
	})
	if errors.Is(err, sinks.ErrHeld) {
		c.metrics.Skipped(kind, "elsewhere")
		c.log.Info("the job runs already, elsewhere", "job", kind, "scheduled_for", at)
		return err
	}
	if report != nil && report.Result != sinks.ResultFailed {
		err = verdict(report, err)
	}
	c.report(kind, at, started, report, err)
	return err
}

// report logs and counts how a run ended.
func (c *scheduler) report(kind sinks.JobKind, at, started time.Time, r *jobs.Report, err error) {
	result, steps := sinks.ResultFailed, 0
	attributes := []any{"job", kind, "scheduled_for", at, "ms", time.Since(started).Milliseconds()}
	if r != nil {
		result, steps = r.Result, r.Steps
		attributes = append(attributes, "run", r.Run, "steps", r.Steps, "failed", r.Failed, "blocked", r.Waiting)
	}
	c.metrics.Ended(kind, result, started, time.Now())
	attributes = append(attributes, "result", result)
	switch {
	case err != nil:
		c.log.Warn("run ended", append(attributes, "error_class", sinks.ClassOf(err), "error", err)...)
	case steps > 0:
		c.log.Info("run ended", attributes...)
	default:
		c.log.Debug("run ended", attributes...)
	}
	c.done()
}

// observe counts the steps of a run, and logs them.
func (c *scheduler) observe(kind sinks.JobKind, m *meter) func(jobs.Event) {
	logged := m.observe(kind)
	return func(e jobs.Event) {
		if e.Done != nil {
			c.metrics.Step(kind, e.Done)
		}
		logged(e)
	}
}

// mayBegin reports whether a run may begin.
func (c *scheduler) mayBegin() bool {
	select {
	case <-c.stop:
		return false
	default:
		return c.work.Err() == nil
	}
}

// sleep waits, and reports whether work may go on then.
func (c *scheduler) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return c.mayBegin()
	case <-c.stop:
	case <-c.work.Done():
	}
	return false
}

// String names the schedule, for the log.
func (c *scheduler) String() string {
	text := ""
	for i, j := range c.jobs {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%s: %s (%s)", j.Job, j.Spec, j.TimeZone)
	}
	return text
}
