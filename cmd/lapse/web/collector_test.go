package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks/spool"
)

const testKey = "0123456789abcdef0123456789abcdef"

// station is a collector over a real spool.
type station struct {
	t     *testing.T
	spool *spool.Spool
	dir   string
	log   bytes.Buffer
	mux   *http.ServeMux
}

func newStation(t *testing.T, maxBytes int64) *station {
	t.Helper()
	s := &station{t: t, dir: t.TempDir(), mux: http.NewServeMux()}
	var err error
	s.spool, err = spool.Open(spool.Options{Dir: s.dir, SegmentBytes: 1 << 20, SegmentAge: time.Hour, MaxBytes: maxBytes}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.spool.Close() })
	keys, err := ParseWriteKeys("# ours\n" + testKey + "\n\nanother-key-that-is-long\n")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{
		Spool: s.spool, Keys: keys, Limits: DefaultLimits, Now: func() time.Time { return receipt },
		Log: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	c.Register(s.mux)
	return s
}

func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.SetBasicAuth(testKey, "")
	return r
}

func (s *station) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// stored closes the spool and returns its lines.
func (s *station) stored() []string {
	s.t.Helper()
	if err := s.spool.Close(); err != nil {
		s.t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(s.dir, "*.ndjson"))
	if err != nil {
		s.t.Fatal(err)
	}
	var all string
	for _, path := range segments {
		raw, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		all += string(raw)
	}
	return strings.Split(strings.TrimSuffix(all, "\n"), "\n")
}

func compress(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestEveryPathOfTheTrackingAPIStores(t *testing.T) {
	t.Parallel()
	s := newStation(t, 1<<30)
	var want []string
	for _, kind := range kinds {
		w := s.answer(post("/v1/"+kind, fmt.Sprintf(`{"messageId":"of %s"}`, kind)))
		if w.Code != 200 || w.Body.String() != "{\"success\":true}\n" {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
		want = append(want, fmt.Sprintf(`"messageId":"of %s"`, kind))
	}
	for _, path := range []string{"/v1/batch", "/v1/import"} {
		r := post(path, compress(fmt.Sprintf(`{"batch":[{"messageId":"first of %s"},{"messageId":"second of %s"}]}`, path, path)))
		r.Header.Set("Content-Encoding", "gzip")
		if w := s.answer(r); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		want = append(want, fmt.Sprintf(`"messageId":"first of %s"`, path), fmt.Sprintf(`"messageId":"second of %s"`, path))
	}
	got := s.stored()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i, line := range got {
		if !strings.Contains(line, want[i]) || !strings.Contains(line, `"receivedAt":"`+receivedText+`"`) {
			t.Errorf("line %d is %s, want %s", i, line, want[i])
		}
	}
}

func TestRequestThatIsNotTakenSaysWhy(t *testing.T) {
	t.Parallel()
	s := newStation(t, 1<<30)
	batch := `{"batch":[{"messageId":"secret-id"}]}`
	for _, c := range []struct {
		name   string
		change func(r *http.Request) *http.Request
		status int
		header string // that has to be there
		text   string
	}{
		{"no key", func(r *http.Request) *http.Request { r.Header.Del("Authorization"); return r }, 401, "WWW-Authenticate", "write key"},
		{"another key", func(r *http.Request) *http.Request { r.SetBasicAuth(testKey[1:]+"0", ""); return r }, 401, "WWW-Authenticate", "write key"},
		{"key as password", func(r *http.Request) *http.Request { r.SetBasicAuth("", testKey); return r }, 401, "WWW-Authenticate", "write key"},
		{"GET", func(r *http.Request) *http.Request { r.Method = http.MethodGet; return r }, 405, "Allow", "POST"},
		{"a form", func(r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}, 415, "Accept-Encoding", "application/json"},
		{"another character set", func(r *http.Request) *http.Request {
			r.Header.Set("Content-Type", "application/json; charset=latin1")
			return r
		}, 415, "Accept-Encoding", "UTF-8"},
		{"brotli", func(r *http.Request) *http.Request { r.Header.Set("Content-Encoding", "br"); return r }, 415, "Accept-Encoding", "gzip"},
		{"not gzip", func(r *http.Request) *http.Request { r.Header.Set("Content-Encoding", "gzip"); return r }, 400, "", "decompressed"},
		{"half of a gzip stream", func(*http.Request) *http.Request {
			r := post("/v1/batch", compress(batch)[:30])
			r.Header.Set("Content-Encoding", "gzip")
			return r
		}, 400, "", "decompressed"},
		{"too large", func(*http.Request) *http.Request { return post("/v1/batch", batch+strings.Repeat(" ", 500<<10)) }, 413, "", "larger"},
		{"too large without saying so", func(*http.Request) *http.Request {
			r := post("/v1/batch", batch+strings.Repeat(" ", 500<<10))
			r.ContentLength = -1
			return r
		}, 413, "", "larger"},
		{"a gzip bomb", func(*http.Request) *http.Request {
			r := post("/v1/batch", compress(batch+strings.Repeat(" ", 400<<20)))
			r.Header.Set("Content-Encoding", "gzip")
			return r
		}, 413, "", "larger"},
		{"malformed", func(*http.Request) *http.Request { return post("/v1/batch", batch[1:]) }, 400, "", "malformed"},
		{"one event too large", func(*http.Request) *http.Request {
			return post("/v1/batch", `{"batch":[{},{"a":"`+strings.Repeat("secret-id", 4000)+`"}]}`)
		}, 400, "", `"index":1`},
		{"another path", func(*http.Request) *http.Request { return post("/v1/projects", batch) }, 404, "", ""},
	} {
		w := s.answer(c.change(post("/v1/batch", batch)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) || c.header != "" && w.Header().Get(c.header) == "" {
			t.Errorf("%s: %d %v %s", c.name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: the answer repeats the body: %s", c.name, w.Body)
		}
		var o outcome
		if err := json.Unmarshal(w.Body.Bytes(), &o); c.status != 404 && (err != nil || o.Success) {
			t.Errorf("%s: %s: %v", c.name, w.Body, err)
		}
	}
	if got := s.stored(); len(got) != 1 || got[0] != "" {
		t.Errorf("something was stored: %q", got)
	}
	for _, secret := range []string{"secret", testKey, "192.0.2.1"} { // httptest's address
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestFullSpoolAsksToTryLater(t *testing.T) {
	t.Parallel()
	s := newStation(t, 1000)
	body := fmt.Sprintf(`{"messageId":"m","a":%q}`, strings.Repeat("x", 600))
	if w := s.answer(post("/v1/track", body)); w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	if w := s.answer(post("/v1/track", body)); w.Code != 429 || w.Header().Get("Retry-After") != "30" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// broken is a spool on a disk that does not work.
type broken struct{}

func (broken) Append(context.Context, []byte) error { return errors.New("input/output error") }

func TestBrokenSpoolIsNotAnsweredWithSuccess(t *testing.T) {
	t.Parallel()
	s := newStation(t, 1<<30)
	keys, err := ParseWriteKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	s.mux = http.NewServeMux()
	(&Collector{Spool: broken{}, Keys: keys, Limits: DefaultLimits, Now: time.Now, Log: slog.New(slog.NewTextHandler(&s.log, nil))}).Register(s.mux)
	w := s.answer(post("/v1/track", `{}`))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(s.log.String(), "input/output error") {
		t.Errorf("%d %v %s", w.Code, w.Header(), s.log.String())
	}
}

func TestManySendersAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	const senders, batches, events = 8, 20, 25
	s := newStation(t, 1<<30)
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for b := range batches {
				var list []string
				for e := range events {
					list = append(list, fmt.Sprintf(`{"messageId":"%d-%d-%d"}`, sender, b, e))
				}
				if w := s.answer(post("/v1/batch", `{"batch":[`+strings.Join(list, ",")+`]}`)); w.Code != 200 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	all.Wait()
	seen := map[string]int{}
	for _, line := range s.stored() {
		var e struct {
			MessageID string `json:"messageId"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.MessageID]++
	}
	for sender := range senders {
		for b := range batches {
			for e := range events {
				if id := fmt.Sprintf("%d-%d-%d", sender, b, e); seen[id] != 1 {
					t.Errorf("%s is stored %d times", id, seen[id])
				}
			}
		}
	}
	if len(seen) != senders*batches*events {
		t.Errorf("%d events stored", len(seen))
	}
}

func TestWriteKeysAreCheckedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# none\n", "short-secret\n", testKey + "\nwith space and secret\n", "secret:with:colons:in:it"} {
		if _, err := ParseWriteKeys(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestServerEndsOnceRequestsAreFinished ends a server while a body is on its way:
// that request is answered, a new one is not.
func TestServerEndsOnceRequestsAreFinished(t *testing.T) {
	t.Parallel()
	s := newStation(t, 1<<30)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	served := make(chan error, 1)
	begun := make(chan struct{}, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		s.mux.ServeHTTP(w, r)
	})
	go func() { served <- Serve(ctx, l, h, 8, slog.New(slog.DiscardHandler)) }()
	body, send := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/v1/track", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(testKey, "")
	answered := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_ = answer.Body.Close()
		answered <- answer.StatusCode
	}()
	<-begun
	end()
	if _, err := send.Write([]byte(`{"messageId":"late"}`)); err != nil {
		t.Fatal(err)
	}
	_ = send.Close()
	if status := <-answered; status != 200 {
		t.Errorf("the request that had begun was answered with %d", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the server still listens")
	}
	if got := s.stored(); len(got) != 1 || !strings.Contains(got[0], "late") {
		t.Errorf("%q", got)
	}
}

func TestPanicIsAnsweredAndNothingOfTheRequestLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := contained(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") }), slog.New(slog.NewTextHandler(&log, nil)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, post("/v1/track?secret", "secret"))
	if w.Code != 500 || strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "panic") {
		t.Errorf("%d %s", w.Code, log.String())
	}
}
