package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// How often the figures about the stores are taken, at most and at least. They take
// what a plan takes.
const (
	refreshAfter    = 5 * time.Second
	refreshInterval = time.Minute
)

// monitor takes figures about the stores now and then, and after runs.
type monitor struct {
	stores  *stores
	metrics *web.Metrics
	log     *slog.Logger
	asked   chan struct{}

	mu     sync.Mutex
	failed error // of the last look
	looked bool
}

func newMonitor(s *stores, m *web.Metrics) *monitor {
	return &monitor{stores: s, metrics: m, log: s.app.log, asked: make(chan struct{}, 1)}
}

// Ask has figures taken soon.
func (m *monitor) Ask() {
	select {
	case m.asked <- struct{}{}:
	default:
	}
}

// Run takes figures until ctx ends.
func (m *monitor) Run(ctx context.Context) {
	for {
		err := m.look(ctx)
		m.mu.Lock()
		changed := (err == nil) != (m.failed == nil)
		m.failed, m.looked = err, true
		m.mu.Unlock()
		if err != nil && changed && ctx.Err() == nil {
			m.log.Warn("the stores cannot be looked at", "error", err)
		}
		pause := time.After(refreshAfter)
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshInterval):
		case <-m.asked:
			select {
			case <-ctx.Done():
				return
			case <-pause:
			}
		}
	}
}

// look takes figures once.
func (m *monitor) look(ctx context.Context) error {
	return m.stores.Use(ctx, func(i *installation) error {
		now := time.Now().UTC()
		report, err := i.overview(ctx, now)
		if err != nil {
			return err
		}
		state := &web.State{Taken: now, Status: report.Status, Blocked: report.Blocked, Holds: report.Holds, AuditEntries: report.Audit.Entries}
		for _, l := range report.Lag {
			state.Lag = append(state.Lag, web.Lag{Dataset: l.Dataset, Rule: l.Rule, Steps: l.Steps, Rows: l.Rows, Seconds: l.Seconds})
		}
		if state.LastSuccess, err = i.store.LastSuccesses(ctx); err != nil {
			return err
		}
		if state.EngineMemory, err = i.store.MemoryUse(ctx); err != nil {
			return err
		}
		requests, err := i.store.Requests(ctx, sinks.ID{})
		if err != nil {
			return err
		}
		state.Requests = jobs.RequestFigures(i.policy, requests, now)
		m.metrics.Refresh(state)
		return nil
	})
}

// checks are what has to be in order for the service to do its work.
func (m *monitor) checks() []web.Check {
	return []web.Check{
		{Name: "clickhouse", Run: func(ctx context.Context) error {
			if !m.stores.Open() {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.failed != nil {
					return m.failed
				}
				return errors.New("it has not been opened yet")
			}
			return m.stores.Use(ctx, func(i *installation) error { return i.store.Ping(ctx) })
		}},
		{Name: "audit", Run: func(ctx context.Context) error {
			_, err := m.stores.app.auditState(ctx)
			return err
		}},
	}
}

// spoolCheck refuses to be sent more while the spool is full.
func (a *app) spoolCheck() web.Check {
	return web.Check{Name: "spool", Run: func(context.Context) error {
		size, _, err := a.spooled()
		if err == nil && size >= int64(a.settings.Spool.MaxSize) {
			err = fmt.Errorf("it is full, with %s: run 'lapse run ingest', or raise spool.max_size", a.settings.Spool.MaxSize)
		}
		return err
	}}
}

// spooled returns how many bytes wait in the spool, and since when the oldest does.
func (a *app) spooled() (size int64, oldest time.Time, err error) {
	entries, err := os.ReadDir(a.settings.SpoolDir())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, oldest, nil
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || filepath.Base(e.Name()) == ".lock" {
			continue // removed meanwhile
		}
		size += info.Size()
		if !strings.HasPrefix(e.Name(), ".") && (oldest.IsZero() || info.ModTime().Before(oldest)) {
			oldest = info.ModTime()
		}
	}
	return size, oldest, err
}

// spoolGauges adds figures about the spool.
func (a *app) spoolGauges(m *web.Metrics) {
	m.AddGauge("spool_bytes", "Bytes that wait to be ingested.", func() float64 {
		size, _, _ := a.spooled()
		return float64(size)
	})
	m.AddGauge("spool_oldest_seconds", "For how long the oldest closed segment has been waiting to be ingested; 0 if none does.", func() float64 {
		if _, oldest, _ := a.spooled(); !oldest.IsZero() {
			return time.Since(oldest).Seconds()
		}
		return 0
	})
	m.AddGauge("spool_limit_bytes", "Beyond this the collector takes nothing.", func() float64 { return float64(a.settings.Spool.MaxSize) })
}

// reload adopts the policy as it stands in its file now.
func (a *app) reload(ctx context.Context, s *stores) (changed bool, err error) {
	p, err := a.loadPolicy()
	if err != nil {
		return false, err
	}
	if p.Hash == s.Policy().Hash {
		return false, nil
	}
	i, err := a.openFor(ctx, p)
	if err != nil {
		return false, err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	if err := i.openLog(ctx); err != nil {
		return false, err
	}
	_, err = i.runner(sinks.ActorScheduler, nil).Run(ctx, &jobs.AdoptPolicy{Policy: p, Adopt: func() { s.Adopt(p) }}, time.Now())
	return err == nil, err
}
