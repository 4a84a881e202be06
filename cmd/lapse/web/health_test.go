package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func probe(h *Health, path string) (int, string) {
	mux := http.NewServeMux()
	h.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestReadinessSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := &Health{Checks: []Check{
		{"clickhouse", func(context.Context) error { return errors.New("it does not answer") }},
		{"spool", func(context.Context) error { return nil }},
	}}
	status, body := probe(h, "/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"clickhouse":"it does not answer"`) || !strings.Contains(body, `"spool":"ok"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := probe(h, "/healthz"); status != http.StatusOK {
		t.Errorf("the process runs, but health is %d", status)
	}
	if status, _ := probe(&Health{}, "/readyz"); status != http.StatusOK {
		t.Errorf("without anything to check: %d", status)
	}
}

func TestProbesDoNotKeepTheStoresBusy(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	h := &Health{Checks: []Check{{"slow", func(ctx context.Context) error {
		calls.Add(1)
		<-ctx.Done()
		return ctx.Err()
	}}}}
	begun := time.Now()
	for range 20 {
		if status, _ := probe(h, "/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("%d", status)
		}
	}
	if calls.Load() > 2 || time.Since(begun) > 3*checkTimeout {
		t.Errorf("%d checks in %s", calls.Load(), time.Since(begun))
	}
}
