package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// meter shows how far a job has come: a bar on a terminal, a log line for each
// step elsewhere.
type meter struct {
	log     *slog.Logger
	writer  progress.Writer // nil where nobody watches
	tracker *progress.Tracker
	bytes   *progress.Tracker
}

func newMeter(w io.Writer, log *slog.Logger, quiet bool) *meter {
	m := &meter{log: log}
	if quiet || !onTerminal(w) {
		return m
	}
	m.writer = progress.NewWriter()
	m.writer.SetOutputWriter(w)
	m.writer.SetAutoStop(false)
	m.writer.SetUpdateFrequency(100 * time.Millisecond)
	m.writer.SetTrackerLength(30)
	go m.writer.Render()
	return m
}

// observe is given to the runner.
func (m *meter) observe(kind sinks.JobKind) func(jobs.Event) {
	return func(e jobs.Event) {
		switch {
		case e.Waiting:
			m.log.Info("another run of the job has to end first", "job", kind)
		case e.Planned > 0:
			m.planned(kind, e.Planned)
		case e.Done != nil:
			m.done(e.Done)
		}
	}
}

func (m *meter) planned(kind sinks.JobKind, n int) {
	m.log.Debug("planned", "job", kind, "steps", n)
	if m.writer == nil {
		return
	}
	if m.tracker != nil && m.tracker.Message == string(kind) { // of a job with portions
		m.tracker.UpdateTotal(m.tracker.Total + int64(n))
		return
	}
	m.tracker = &progress.Tracker{Message: string(kind), Total: int64(n)}
	m.writer.AppendTracker(m.tracker)
}

func (m *meter) done(o *jobs.Outcome) {
	if m.tracker != nil {
		m.tracker.Increment(1)
	}
	level := slog.LevelDebug
	if o.Err != nil {
		level = slog.LevelWarn
	}
	attributes := []any{"action", o.Step.Action, "dataset", o.Step.Dataset, "step", o.Step.ID, "result", o.Result}
	if o.Step.Partition != nil {
		attributes = append(attributes, "partition", o.Step.Partition.String())
	}
	for name, n := range o.Counts {
		attributes = append(attributes, string(name), n)
	}
	if o.Err != nil {
		attributes = append(attributes, "error_class", sinks.ClassOf(o.Err))
	}
	m.log.Log(context.Background(), level, "step ended", attributes...)
}

// read is told how much input has been read.
func (m *meter) read(total int64) func(int64) {
	if m.writer == nil || total == 0 {
		return nil
	}
	m.bytes = &progress.Tracker{Message: "reading", Total: total, Units: progress.UnitsBytes}
	m.writer.AppendTracker(m.bytes)
	return func(n int64) { m.bytes.Increment(n) }
}

// stop ends the display.
func (m *meter) stop() {
	if m.writer == nil {
		return
	}
	for _, t := range []*progress.Tracker{m.tracker, m.bytes} {
		if t != nil {
			t.MarkAsDone()
		}
	}
	for m.writer.Stop(); m.writer.IsRenderInProgress(); {
		time.Sleep(10 * time.Millisecond)
	}
}
