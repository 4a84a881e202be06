package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// scrape returns what Prometheus would get.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	mux := http.NewServeMux()
	m.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d\n%s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsTellWhatBecameOfRows(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1")
	m.Step(sinks.JobIngest, &jobs.Outcome{
		Step: jobs.Step{Action: sinks.ActionIngestSource}, Result: sinks.ResultDone, Took: time.Second,
		Counts: map[sinks.Count]uint64{sinks.CountRead: 10, sinks.CountStored: 7, sinks.CountRefused: 3, sinks.CountRefusedConsent: 2, sinks.CountRefusedAge: 1, sinks.CountBytes: 99},
	})
	m.Step(sinks.JobPurge, &jobs.Outcome{
		Step: jobs.Step{Action: sinks.ActionErasePartition, Dataset: "requests"}, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountBefore: 5},
	})
	m.Refresh(&State{
		Taken: time.Unix(1000, 0), Status: &sinks.Status{Datasets: []sinks.DatasetStatus{{Dataset: "events", Personal: 4}}},
		Lag: []Lag{{"events", sinks.RuleEventTime, 1, 4, 60}}, LastSuccess: map[sinks.JobKind]time.Time{sinks.JobPurge: time.Unix(900, 0)},
		Requests: []jobs.RequestFigure{{Right: sinks.RightErasure, Pending: 3, Overdue: 2, Oldest: time.Hour}},
	})
	got := scrape(t, m)
	for _, want := range []string{
		`lapse_rows_total{dataset="",fate="stored",job="ingest"} 7`, `lapse_refused_rows_total{reason="no_consent"} 2`,
		`lapse_rows_total{dataset="requests",fate="erased",job="purge"} 5`, `lapse_step_duration_seconds_sum{action="ingest_source",job="ingest"} 1`,
		`lapse_lag_seconds{dataset="events",rule="event_time"} 60`, `lapse_personal_rows{dataset="events"} 4`,
		`lapse_last_success_timestamp_seconds{job="purge"} 900`, `lapse_build_info{version="v1"} 1`,
		`lapse_subject_requests_pending{right="erasure"} 3`, `lapse_subject_requests_overdue{right="erasure"} 2`, `lapse_subject_requests_oldest_seconds{right="erasure"} 3600`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	m.Refresh(&State{Status: &sinks.Status{}})
	if got := scrape(t, m); strings.Contains(got, "lapse_personal_rows{") {
		t.Error("a dataset that is no more is still shown")
	}
}
