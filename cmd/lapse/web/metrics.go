package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// Metrics are what the service tells Prometheus. Their labels are words of closed
// vocabularies and names out of the policy; nothing in them is about a person.
type Metrics struct {
	registry *prometheus.Registry

	rows, refused, steps, runs, skipped, requests, events, reloads *prometheus.CounterVec
	stepSeconds, runSeconds                                        *prometheus.HistogramVec
	inProgress, next, lastRun, lastSuccess                         *prometheus.GaugeVec
	personal, published, suppressed, lag, dueRows, dueSteps        *prometheus.GaugeVec
	blocked, holds, quarantined, unfinished, items, purged         prometheus.Gauge
	audit, memory, refreshed, policySince                          prometheus.Gauge
	policy                                                         *prometheus.GaugeVec
	requestsPending, requestsOverdue, requestsOldest               *prometheus.GaugeVec
}

// State is a picture of the stores, taken now and then.
type State struct {
	Taken        time.Time
	Status       *sinks.Status
	Lag          []Lag
	Blocked      int // steps that are due and wait
	Holds        int // legal holds in force
	LastSuccess  map[sinks.JobKind]time.Time
	AuditEntries int64
	EngineMemory uint64 // bytes
	Requests     []jobs.RequestFigure
}

// Lag says how late a rule is carried out for a dataset.
type Lag struct {
	Dataset string
	Rule    sinks.Rule
	Steps   int
	Rows    uint64
	Seconds int64
}

// fates are the counts of what became of rows; other counts are about something else.
var fates = []sinks.Count{
	sinks.CountRead, sinks.CountStored, sinks.CountQuarantined, sinks.CountRefused, sinks.CountDuplicate,
	sinks.CountPublished, sinks.CountGeneralised, sinks.CountSuppressed, sinks.CountHeld, sinks.CountKeptLonger,
}

// NewMetrics returns the metrics of a program of the given version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lapse_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lapse_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string) prometheus.Gauge {
		v := prometheus.NewGauge(prometheus.GaugeOpts{Name: "lapse_" + name, Help: help})
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lapse_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.01, 4, 10)}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.rows = counter("rows_total", "Rows by what became of them.", "job", "dataset", "fate")
	m.refused = counter("refused_rows_total", "Records that were refused, by reason.", "reason")
	m.steps = counter("steps_total", "Steps by how they ended.", "job", "action", "result")
	m.stepSeconds = histogram("step_duration_seconds", "How long a step took: its share of the batch that it was done in.", "job", "action")
	m.runs = counter("runs_total", "Runs by how they ended.", "job", "result")
	m.runSeconds = histogram("run_duration_seconds", "How long runs took.", "job")
	m.skipped = counter("runs_skipped_total", "Scheduled times without a run of their own: the job still ran here (overlap) or elsewhere.", "job", "reason")
	m.inProgress = gauges("run_in_progress", "1 while the job runs in this process.", "job")
	m.next = gauges("schedule_next_timestamp_seconds", "When the job is scheduled next.", "job")
	m.lastRun = gauges("last_run_timestamp_seconds", "When a run of the job last ended in this process, in whatever way.", "job")
	m.lastSuccess = gauges("last_success_timestamp_seconds", "When a run of the job last ended without a failure, wherever it ran.", "job")
	m.personal = gauges("personal_rows", "Rows in the personal tables.", "dataset")
	m.published = gauges("published_rows", "Anonymised rows that analysts see.", "dataset")
	m.suppressed = gauges("suppressed_rows", "Rows that fitted no class, ever.", "dataset")
	m.lag = gauges("lag_seconds", "How long ago the oldest step of a rule that is not done fell due; 0 if none is.", "dataset", "rule")
	m.dueRows = gauges("due_rows", "Rows past their window.", "dataset", "rule")
	m.dueSteps = gauges("due_steps", "Steps that are due.", "dataset", "rule")
	m.blocked = gauge("blocked_steps", "Steps that are due and wait: for an approval, or because of a hold.")
	m.requestsPending = gauges("subject_requests_pending", "Requests of data subjects that are not answered yet.", "right")
	m.requestsOverdue = gauges("subject_requests_overdue", "Requests of data subjects whose time for an answer has passed.", "right")
	m.requestsOldest = gauges("subject_requests_oldest_seconds", "How long ago the oldest request that is not answered was received; 0 if all are.", "right")
	m.holds = gauge("legal_holds", "Legal holds in force.")
	m.quarantined = gauge("quarantined_records", "Records in quarantine.")
	m.unfinished = gauge("unfinished_inputs", "Input files whose ingest was interrupted.")
	m.items = gauge("training_items", "Training items in the register.")
	m.purged = gauge("purged_items", "Training items that were purged, ever.")
	m.audit = gauge("audit_entries", "Entries in this year's audit log.")
	m.memory = gauge("clickhouse_memory_bytes", "Memory that ClickHouse has tracked.")
	m.refreshed = gauge("refreshed_timestamp_seconds", "When the figures about the stores were taken.")
	m.policy = gauges("policy_info", "The policy that is carried out; always 1.", "name", "version", "hash")
	m.policySince = gauge("policy_loaded_timestamp_seconds", "When it was loaded.")
	m.reloads = counter("policy_reloads_total", "Reloads of the policy, by how they ended.", "result")
	m.requests = counter("collector_requests_total", "Requests to the collector, by status.", "code")
	m.events = counter("collector_events_total", "Events in those requests: durable where the status is 200.", "code")
	info := gauges("build_info", "The program; always 1.", "version")
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds the path to mux.
func (m *Metrics) Register(mux *http.ServeMux) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}

// AddGauge adds a figure that is looked up when it is asked for.
func (m *Metrics) AddGauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lapse_" + name, Help: help}, value))
}

// Names returns the names of the metrics of our own, without their labels.
func (m *Metrics) Names() (names []string) {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descriptions)
		close(descriptions)
	}()
	for d := range descriptions {
		_, name, _ := strings.Cut(d.String(), `fqName: "`)
		if name, _, _ = strings.Cut(name, `"`); strings.HasPrefix(name, "lapse_") {
			names = append(names, name)
		}
	}
	return names
}

// Request notes a request to the collector.
func (m *Metrics) Request(status, events int) {
	code := strconv.Itoa(status)
	m.requests.WithLabelValues(code).Inc()
	m.events.WithLabelValues(code).Add(float64(events))
}

// Scheduled notes when a job runs next. Its other metrics begin at 0 with the first
// call, so that the first failure is seen as an increase.
func (m *Metrics) Scheduled(job sinks.JobKind, next time.Time) {
	j := string(job)
	m.next.WithLabelValues(j).Set(seconds(next))
	m.inProgress.WithLabelValues(j).Add(0)
	for _, result := range []sinks.Result{sinks.ResultDone, sinks.ResultUnchanged, sinks.ResultPartial, sinks.ResultFailed} {
		m.runs.WithLabelValues(j, string(result)).Add(0)
	}
}

// Started notes that a run begins.
func (m *Metrics) Started(job sinks.JobKind) { m.inProgress.WithLabelValues(string(job)).Set(1) }

// Ended notes that a run has ended.
func (m *Metrics) Ended(job sinks.JobKind, result sinks.Result, started, ended time.Time) {
	j := string(job)
	m.inProgress.WithLabelValues(j).Set(0)
	m.runs.WithLabelValues(j, string(result)).Inc()
	m.runSeconds.WithLabelValues(j).Observe(ended.Sub(started).Seconds())
	m.lastRun.WithLabelValues(j).Set(seconds(ended))
}

// Skipped notes a scheduled time without a run of its own.
func (m *Metrics) Skipped(job sinks.JobKind, reason string) {
	m.inProgress.WithLabelValues(string(job)).Add(0)
	m.skipped.WithLabelValues(string(job), reason).Inc()
}

// Step notes a step that has ended.
func (m *Metrics) Step(job sinks.JobKind, o *jobs.Outcome) {
	j, action := string(job), string(o.Step.Action)
	m.steps.WithLabelValues(j, action, string(o.Result)).Inc()
	m.stepSeconds.WithLabelValues(j, action).Observe(o.Took.Seconds())
	for _, fate := range fates {
		if n := o.Counts[fate]; n > 0 {
			m.rows.WithLabelValues(j, o.Step.Dataset, string(fate)).Add(float64(n))
		}
	}
	for _, reason := range sinks.RefusalCounts {
		if n := o.Counts[reason]; n > 0 {
			m.refused.WithLabelValues(strings.TrimPrefix(string(reason), "refused_")).Add(float64(n))
		}
	}
	if o.Result == sinks.ResultDone && (o.Step.Action == sinks.ActionErasePartition || o.Step.Action == sinks.ActionEraseSubjects) {
		m.rows.WithLabelValues(j, o.Step.Dataset, "erased").Add(float64(o.Counts[sinks.CountBefore]))
	}
}

// Policy notes which policy is carried out, since when.
func (m *Metrics) Policy(ref sinks.PolicyRef, since time.Time) {
	m.policy.Reset()
	m.policy.WithLabelValues(ref.Name.String(), ref.Version.String(), ref.Hash.String()).Set(1)
	m.policySince.Set(seconds(since))
}

// Reloaded notes how a reload of the policy ended: done, unchanged or failed.
func (m *Metrics) Reloaded(result sinks.Result) { m.reloads.WithLabelValues(string(result)).Inc() }

// Refresh shows a picture of the stores in place of the last one.
func (m *Metrics) Refresh(s *State) {
	for _, v := range []*prometheus.GaugeVec{m.personal, m.published, m.suppressed, m.lag, m.dueRows, m.dueSteps} {
		v.Reset() // a dataset that the policy has no more
	}
	for _, d := range s.Status.Datasets {
		m.personal.WithLabelValues(d.Dataset).Set(float64(d.Personal))
		m.published.WithLabelValues(d.Dataset).Set(float64(d.Published))
		m.suppressed.WithLabelValues(d.Dataset).Set(float64(d.Suppressed))
	}
	for _, l := range s.Lag {
		m.lag.WithLabelValues(l.Dataset, string(l.Rule)).Set(float64(max(l.Seconds, 0)))
		m.dueRows.WithLabelValues(l.Dataset, string(l.Rule)).Set(float64(l.Rows))
		m.dueSteps.WithLabelValues(l.Dataset, string(l.Rule)).Set(float64(l.Steps))
	}
	for job, at := range s.LastSuccess {
		m.lastSuccess.WithLabelValues(string(job)).Set(seconds(at))
	}
	for _, f := range s.Requests {
		right := string(f.Right)
		m.requestsPending.WithLabelValues(right).Set(float64(f.Pending))
		m.requestsOverdue.WithLabelValues(right).Set(float64(f.Overdue))
		m.requestsOldest.WithLabelValues(right).Set(f.Oldest.Seconds())
	}
	m.blocked.Set(float64(s.Blocked))
	m.holds.Set(float64(s.Holds))
	m.quarantined.Set(float64(s.Status.Quarantined))
	m.unfinished.Set(float64(s.Status.Unfinished))
	m.items.Set(float64(s.Status.Items))
	m.purged.Set(float64(s.Status.Purged))
	m.audit.Set(float64(s.AuditEntries))
	m.memory.Set(float64(s.EngineMemory))
	m.refreshed.Set(seconds(s.Taken))
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
