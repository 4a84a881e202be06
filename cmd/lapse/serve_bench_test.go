package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/cmd/lapse/web"
)

// What the collector is measured with.
const (
	benchConnections = 32
	benchEvents      = 50     // in a batch
	benchRate        = 20_000 // events a second that it has to take with ease
)

// BenchmarkStart measures the time from the start of the process to the first answer of
// /healthz, of the program as the image for an outside ClickHouse has it: static, and
// without the engine.
func BenchmarkStart(b *testing.B) {
	program := filepath.Join(b.TempDir(), "lapse")
	build := exec.Command("go", "build", "-trimpath", "-tags", "noengine", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	binary, err := elf.Open(program)
	if err != nil {
		b.Fatal(err)
	}
	defer binary.Close() //nolint:errcheck // read only
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		b.Error("the program is not static")
	}
	dir := b.TempDir()
	if code := run(b.Context(), []string{"init", dir}, nil, io.Discard, os.Stderr); code != 0 {
		b.Fatal("lapse init ended with ", code)
	}
	for b.Loop() {
		s := serveWith(b, program, dir, "LAPSE_LOG_LEVEL=warn")
		answer, err := http.Get(s.Address + "/healthz")
		if err != nil || answer.StatusCode != http.StatusOK {
			b.Fatal(answer, err)
		}
		b.StopTimer()
		_ = answer.Body.Close()
		s.end()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms-to-healthz")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCollect posts batches of 50 events of about a kilobyte over 32
// connections to a `lapse serve` of its own; each is durable before it is answered:
// first at a fixed rate, at which latency counts from the moment a batch was due,
// then as fast as it takes them. Beside it in the same run: a server that reads
// bodies and throws them away, and the disk taking the same bytes with a sync after
// each batch.
func BenchmarkCollect(b *testing.B) {
	dir := b.TempDir()
	if code := run(b.Context(), []string{"init", dir}, nil, io.Discard, os.Stderr); code != 0 {
		b.Fatal("lapse init ended with ", code)
	}
	body := benchBatch()
	s := serveIn(b, dir, "LAPSE_SPOOL_MAX_SIZE=64GiB", "LAPSE_LOG_LEVEL=warn")
	load(b, s.Address, body, benchConnections, 0) // connections, buffers
	paced := load(b, s.Address, body, b.N, time.Second*benchEvents/benchRate)
	b.ResetTimer()
	most := load(b, s.Address, body, b.N, 0)
	b.StopTimer()
	peak := s.peakMemory()
	s.end()
	discarded := load(b, discardServer(b), body, b.N, 0)
	b.ReportMetric(paced.rate(), "paced-events/s")
	b.ReportMetric(paced.percentile(50), "paced-p50-ms")
	b.ReportMetric(paced.percentile(99), "paced-p99-ms")
	b.ReportMetric(most.rate(), "most-events/s")
	b.ReportMetric(most.percentile(99), "most-p99-ms")
	b.ReportMetric(peak, "peak-MiB")
	b.ReportMetric(most.rate()/discarded.rate(), "x-discarding")
	b.ReportMetric(most.rate()/syncEach(b, dir, body, min(b.N, 1000)), "x-sync-each")
}

// measured is how a load was answered.
type measured struct {
	took    time.Duration
	latency []time.Duration // of each batch, sorted
}

func (m measured) rate() float64 { return float64(len(m.latency)*benchEvents) / m.took.Seconds() }

func (m measured) percentile(p int) float64 {
	return float64(m.latency[(len(m.latency)-1)*p/100].Microseconds()) / 1000
}

// load posts a number of batches over all connections at once: one each interval,
// or if that is 0 as fast as they are taken.
func load(b *testing.B, address, body string, batches int, interval time.Duration) measured {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchConnections, MaxConnsPerHost: benchConnections}}
	defer client.CloseIdleConnections()
	latency := make([]time.Duration, batches)
	var next atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range min(benchConnections, batches) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(batches); i = next.Add(1) - 1 {
				due := time.Now()
				if interval > 0 {
					due = begin.Add(time.Duration(i) * interval)
					time.Sleep(time.Until(due))
				}
				if err := postBatch(client, address, body); err != nil {
					b.Error(err)
					return
				}
				latency[i] = time.Since(due)
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	slices.Sort(latency)
	return measured{took, latency}
}

func postBatch(client *http.Client, address, body string) error {
	r, err := http.NewRequest(http.MethodPost, address+"/v1/batch", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(writeKey, "")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered with %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// discardServer reads bodies and throws them away. It is a process's part like the
// load itself: what it costs there the collector costs beside it.
func discardServer(b *testing.B) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write([]byte("{}"))
	})
	go func() { ended <- web.Serve(ctx, l, h, 2*benchConnections, slog.New(slog.DiscardHandler)) }()
	b.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// syncEach writes a body a number of times to a file, each with a sync of its own,
// and returns the events a second.
func syncEach(b *testing.B, dir, body string, times int) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "beside"))
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	for range times {
		_, err := f.WriteString(body)
		if err := errors.Join(err, f.Sync()); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(begin)
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return float64(times*benchEvents) / took.Seconds()
}

// benchBatch is a body as libraries send it, with events of about a kilobyte.
func benchBatch() string {
	events := make([]string, benchEvents)
	for i := range events {
		events[i] = fmt.Sprintf(`{"type":"track","event":"Report Opened","userId":"user-%d","anonymousId":"0f8fad5b-d9cb-469f-a165-70867728950e","messageId":"node-next-1714979289123-%d","timestamp":"2024-05-06T07:08:09.123Z",`+
			`"properties":{"report":"monthly","pages":%d,"duration":12.75,"tags":["a","b","c"],"filter":{"from":"2024-01-01","to":"2024-03-31"},"comment":%q},`+
			`"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"},"ip":"198.51.100.%d","locale":"en-GB","timezone":"Europe/London",`+
			`"page":{"path":"/reports/monthly","referrer":"https://example.org/","search":"?q=1","title":"Monthly report","url":"https://example.org/reports/monthly?q=1"},`+
			`"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",`+
			`"consent":{"categoryPreferences":{"analytics":true,"marketing":false}}},"integrations":{}}`, i, i, i, strings.Repeat("lorem ", 20), i)
	}
	return `{"batch":[` + strings.Join(events, ",") + `],"writeKey":"` + writeKey + `","sentAt":"2024-05-06T07:08:10.000Z"}`
}
