package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// service is what `lapse serve` does beside answering requests: it runs the jobs, takes
// figures about the stores, and adopts the policy when it has changed. It does the
// first two where jobs are scheduled.
type service struct {
	app       *app
	stores    *stores
	metrics   *web.Metrics
	monitor   *monitor
	scheduler *scheduler

	work    context.Context
	release func()
	looking context.CancelFunc // ends the monitor and the reloads
	group   sync.WaitGroup
}

// newService returns the service. When ctx ends nothing more is begun.
func newService(ctx context.Context, a *app, p *config.Policy, metrics *web.Metrics) *service {
	s := &service{app: a, stores: newStores(a, p), metrics: metrics}
	var stop <-chan struct{}
	s.work, stop, s.release = gracefully(ctx)
	s.monitor = newMonitor(s.stores, metrics)
	s.scheduler = newScheduler(s.work, stop, s.stores, metrics, s.monitor.Ask)
	return s
}

// checks are what has to be in order for the jobs to run.
func (s *service) checks() []web.Check {
	if len(s.app.settings.Schedule) == 0 {
		return nil
	}
	return s.monitor.checks()
}

// start begins.
func (s *service) start() {
	ctx, cancel := context.WithCancel(s.work)
	s.looking = cancel
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	s.group.Go(func() {
		defer signal.Stop(asked)
		for {
			select {
			case <-ctx.Done():
				return
			case <-asked:
				s.reload(ctx)
			}
		}
	})
	if len(s.app.settings.Schedule) == 0 {
		return
	}
	s.app.log.Info("running jobs", "schedule", s.scheduler.String())
	s.group.Go(func() { s.monitor.Run(ctx) })
	s.scheduler.Start()
}

// end waits until what was begun has ended, and closes the stores.
func (s *service) end() error {
	defer s.release()
	s.looking()
	s.scheduler.Wait()
	s.group.Wait()
	return s.stores.Close()
}

// reload adopts the policy as it stands in its file now. A fault in it is logged, and
// changes nothing.
func (s *service) reload(ctx context.Context) {
	changed, err := s.app.reload(ctx, s.stores)
	p := s.stores.Policy()
	switch {
	case err != nil:
		s.metrics.Reloaded(sinks.ResultFailed)
		s.app.log.Error("the policy was not reloaded, the last one holds", "version", p.Version, "error", err)
	case !changed:
		s.metrics.Reloaded(sinks.ResultUnchanged)
		s.app.log.Info("the policy has not changed", "version", p.Version)
	default:
		s.metrics.Reloaded(sinks.ResultDone)
		s.metrics.Policy(jobs.PolicyRef(p), time.Now())
		s.app.log.Info("the policy was reloaded", "version", p.Version)
		s.monitor.Ask()
	}
}
