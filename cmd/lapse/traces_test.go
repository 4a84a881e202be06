package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans as a collector of OpenTelemetry does.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer
	about map[string]string // the resource's attributes
	spans map[string]*traces.Span
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{about: map[string]string{}, spans: map[string]*traces.Span{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || q.URL.Path != "/v1/traces" || q.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &sent) != nil {
			t.Errorf("%s %s is no export of spans: %v", q.Method, q.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.take(body, &sent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(body []byte, sent *collector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.Write(body)
	for _, of := range sent.ResourceSpans {
		for _, a := range of.Resource.Attributes {
			r.about[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans[string(s.SpanId)] = s
			}
		}
	}
}

// path names a span and those around it, from the outermost on.
func (r *receiver) path(s *traces.Span) string {
	if above := r.spans[string(s.ParentSpanId)]; above != nil {
		return r.path(above) + " > " + s.Name
	}
	return s.Name
}

// paths returns how often each path was met.
func (r *receiver) paths() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]int{}
	for _, s := range r.spans {
		found[r.path(s)]++
	}
	return found
}

// traced runs a command line with a variable of OpenTelemetry.
func (w *world) traced(variable string, args ...string) string {
	w.t.Helper()
	c := w.command(args...)
	c.Env = append(os.Environ(), variable)
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestTracesTellOfRunsAndNotOfPeople sends spans to a receiver, and looks in all that it
// was sent for every direct identifier of the input, and for SQL (I9).
func TestTracesTellOfRunsAndNotOfPeople(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), startReceiver(t)
	w.traced("OTEL_EXPORTER_OTLP_ENDPOINT="+r.URL, jobCommand("ingest")...)
	w.appendSettings("\ntraces: {endpoint: '" + r.URL + "/v1/traces'}\n")
	w.must(jobCommand("anonymise")...)
	paths := r.paths()
	for _, want := range []string{
		"run ingest", "run ingest > plan", "run ingest > step ingest_source", "run ingest > step ingest_source > insert_block",
		"run anonymise", "run anonymise > plan", "run anonymise > plan > partitions", "run anonymise > step anonymise", "run anonymise > step anonymise > publish_partition",
	} {
		if paths[want] == 0 {
			t.Errorf("there is no span %s among %v", want, paths)
		}
	}
	published := 0
	for _, s := range r.spans {
		for _, e := range s.Events {
			for _, a := range e.Attributes {
				if a.Key == "lapse.partition" && s.Name == "step anonymise" {
					published++
				}
			}
		}
	}
	if published == 0 {
		t.Error("no span of steps tells of its partitions")
	}
	if r.about["service.name"] != "lapse" || r.about["service.version"] == "" {
		t.Errorf("the resource is %v", r.about)
	}
	sent := filepath.Join(t.TempDir(), "sent")
	if err := os.WriteFile(sent, r.raw.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	findIdentifiers(t, sent, w.identifiers())
	for _, sql := range []string{"SELECT", "INSERT", "ALTER"} {
		if bytes.Contains(r.raw.Bytes(), []byte(sql)) {
			t.Errorf("the spans hold SQL: %s", sql)
		}
	}
}

// TestNoTracesUnlessAskedFor also has a receiver that is not there: that is said, and
// keeps nothing from being done.
func TestNoTracesUnlessAskedFor(t *testing.T) {
	t.Parallel()
	w, r := newInstallation(t), startReceiver(t)
	w.must("run", "purge")
	w.traced("OTEL_EXPORTER_OTLP_ENDPOINT=", "run", "purge")
	w.appendSettings("\ntraces: {endpoint: '" + r.URL + "/v1/traces'}\n")
	w.traced("OTEL_SDK_DISABLED=true", "run", "purge")
	if paths := r.paths(); len(paths) != 0 {
		t.Errorf("%v", paths)
	}
	r.Close()
	if out := w.traced("OTEL_BSP_EXPORT_TIMEOUT=500", "run", "purge"); !strings.Contains(out, "traces are not taken") && !strings.Contains(out, "traces were not taken") {
		t.Errorf("%s", out)
	}
}
