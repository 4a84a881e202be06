package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/filelock"
)

// TestBrokenDatasetDoesNotStopTheOthers takes one table away, as a failed restore or
// another's mistake does, and runs the job that needs it and another.
func TestBrokenDatasetDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.execute("RENAME TABLE {personal}.events TO {personal}.taken_away")
	report, err := s.run(t.Context(), s.anonymiseJob(), end(40))
	if err == nil || !strings.Contains(err.Error(), "plan events") {
		t.Fatalf("%v", err)
	}
	if report.Result != sinks.ResultPartial || report.Unplanned != 1 || report.Steps == 0 || report.Failed != 0 {
		t.Errorf("%s, %d not planned, %d steps, %d failed", report.Result, report.Unplanned, report.Steps, report.Failed)
	}
	if n := s.count("SELECT count() FROM {published}.requests"); n == 0 {
		t.Error("the requests were not published")
	}
	s.execute("RENAME TABLE {personal}.taken_away TO {personal}.events")
	if report := s.anonymise(end(40)); report.Steps != someDays {
		t.Errorf("%d steps once it is back, want one for each of %d days", report.Steps, someDays)
	}
	s.audited()
}

func TestRunIsRestrictedToDatasets(t *testing.T) {
	t.Parallel()
	s := filled(t)
	s.runner.Datasets = []string{"requests"}
	for _, o := range s.anonymise(end(40)).Outcomes {
		if o.Step.Dataset != "requests" {
			t.Fatalf("%s was taken up", o.Step.Dataset)
		}
	}
	s.runner.Datasets = []string{sinks.TrainingDataset}
	for _, o := range s.purge(end(40)).Outcomes {
		if o.Step.Dataset != "" {
			t.Fatalf("%s was taken up", o.Step.Dataset)
		}
	}
	s.runner.Datasets = nil
	if n := s.count("SELECT count() FROM {personal}.requests"); n > 0 {
		t.Errorf("%d requests are left", n)
	}
	if s.count("SELECT count() FROM {personal}.events") == 0 {
		t.Error("the events went, too")
	}
}

// stopAfter closes a runner's Stop when so many steps are done.
func stopAfter(r *jobs.Runner, steps int) {
	stop := make(chan struct{})
	r.Stop = stop
	r.Observe = func(e jobs.Event) {
		if e.Done == nil {
			return
		}
		if steps--; steps == 0 {
			close(stop)
		}
	}
}

// TestStoppedRunEndsItsStepAndLeavesTheRest asks a run to end while it works.
func TestStoppedRunEndsItsStepAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	s := filled(t)
	stopAfter(s.runner, 1)
	report, err := s.run(t.Context(), s.purgeJob(), end(40))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if report.Steps == 0 || report.Failed > 0 {
		t.Errorf("%d steps, %d failed", report.Steps, report.Failed)
	}
	runs, err := s.store.Runs(t.Context(), sinks.RunFilter{Job: sinks.JobPurge})
	if err != nil || len(runs) != 1 || runs[0].Error != sinks.ErrorInterrupted {
		t.Errorf("%+v, %v", runs, err)
	}
	s.runner.Stop, s.runner.Observe = nil, nil
	if rest := s.purge(end(40)); rest.Steps == 0 {
		t.Error("nothing was left to the next run")
	}
	whole := filled(t)
	whole.purge(end(40))
	if got, want := s.state(), whole.state(); got != want {
		t.Errorf("in two runs:\n%s\nin one:\n%s", got, want)
	}
	s.audited()
}

// TestRunsAreRememberedForTheirWindow looks that a run leaves what it was and did,
// and that older ones go.
func TestRunsAreRememberedForTheirWindow(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	old := sinks.RunRecord{
		Run: sinks.NewID(), Job: sinks.JobPurge, Actor: sinks.ActorOperator, StartedAt: time.Now().AddDate(-3, 0, 0), EndedAt: time.Now().AddDate(-3, 0, 0),
		AsOf: time.Now(), Result: sinks.ResultDone,
	}
	if err := s.store.RecordRun(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	s.receive(handful(2), end(1))
	s.runner.ScheduledFor, s.runner.Actor = at, sinks.ActorScheduler
	s.ingest(end(1), s.input())
	s.runner.ScheduledFor, s.runner.KeepRuns, s.runner.Actor = time.Time{}, config.MustPeriod("P25M"), sinks.ActorOperator
	s.ingest(end(1), s.input())
	runs, err := s.store.Runs(t.Context(), sinks.RunFilter{})
	if err != nil || len(runs) != 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	by, first := runs[0], runs[1]
	if !first.ScheduledFor.Equal(at) || first.Counts[sinks.CountStored] == 0 || first.PolicyVersion != s.policy.Version || len(first.PolicyHash) != 64 || first.Result != sinks.ResultDone {
		t.Errorf("%+v", first)
	}
	if !by.ScheduledFor.IsZero() || by.Actor != sinks.ActorOperator {
		t.Errorf("%+v", by)
	}
	scheduled, err := s.store.LastScheduled(t.Context())
	if err != nil || len(scheduled) != 1 || !scheduled[sinks.JobIngest].Equal(at) {
		t.Errorf("%v, %v", scheduled, err)
	}
	if ended, err := s.store.LastSuccesses(t.Context()); err != nil || !ended[sinks.JobIngest].Equal(by.EndedAt) {
		t.Errorf("%v, %v, want %s", ended, err, by.EndedAt)
	}
	if newest, err := s.store.Runs(t.Context(), sinks.RunFilter{Job: sinks.JobIngest, Since: first.StartedAt, Limit: 1}); err != nil || len(newest) != 1 || newest[0].Run != by.Run {
		t.Errorf("%+v, %v", newest, err)
	}
}

// TestSecondRunOfAJobDoesNotWaitWhereItNeedNot lets a run meet another one.
func TestSecondRunOfAJobDoesNotWaitWhereItNeedNot(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	locks, err := filelock.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, release, err := locks.Hold(t.Context(), string(sinks.JobPurge), true)
	if err != nil {
		t.Fatal(err)
	}
	s.runner.Lease, s.runner.NoWait = locks, true
	if _, err := s.run(t.Context(), s.purgeJob(), end(1)); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("beside another run: %v", err)
	}
	if _, err := s.run(t.Context(), s.anonymiseJob(), end(1)); err != nil {
		t.Errorf("another job: %v", err)
	}
	release()
	if _, err := s.run(t.Context(), s.purgeJob(), end(1)); err != nil {
		t.Errorf("after it: %v", err)
	}
}
