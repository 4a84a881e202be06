package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks/spool"
)

// newNotes returns a station that takes notes, in which "bad" is at fault.
func newNotes(t *testing.T) *station {
	t.Helper()
	s := &station{t: t, dir: t.TempDir(), mux: http.NewServeMux()}
	var err error
	s.spool, err = spool.Open(spool.Options{Dir: s.dir, SegmentBytes: 1 << 20, SegmentAge: time.Hour, MaxBytes: 1 << 30}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.spool.Close() })
	keys, err := ParseWriteKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	n := &Notes{
		Spool: s.spool, Keys: keys, Limits: Limits{EventBytes: 100, BatchBytes: 1000},
		Check: func(note []byte) ([]byte, string) {
			if bytes.Contains(note, []byte("bad")) {
				return nil, "key: name the object"
			}
			return append([]byte("+"), note...), ""
		},
		Log: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	n.Register(s.mux)
	return s
}

func postNotes(media, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/training", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	r.SetBasicAuth(testKey, "")
	return r
}

func TestNotesAreStoredWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := newNotes(t)
	for _, c := range []struct {
		name, media, body string
		status            int
		text              string
	}{
		{"lines", mediaNotes, "{\"a\":1}\n\n{\"b\":2}", 200, `"success":true`},
		{"one over several lines", mediaNote, "{\n  \"c\": 3\n}\n", 200, `"success":true`},
		{"a fault among others", mediaNotes, "{\"secret\":1}\n{\"secret\":\"bad\"}\n", 400, `"message":"key: name the object","index":1`},
		{"no JSON", mediaNote, "{secret", 400, `"index":0`},
		{"nothing", mediaNotes, "\n\n", 400, "no note"},
		{"a large note", mediaNotes, "{}\n" + `"` + strings.Repeat("secret", 20) + `"`, 413, `"index":1`},
		{"a large body", mediaNotes, strings.Repeat("{}\n", 400), 413, "larger"},
		{"a form", "application/x-www-form-urlencoded", "{}", 415, "application/x-ndjson"},
	} {
		w := s.answer(postNotes(c.media, c.body))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Del("Authorization") },
		func(r *http.Request) { r.SetBasicAuth(testKey[1:]+"0", "") },
	} {
		r := postNotes(mediaNotes, "{}")
		if change(r); s.answer(r).Code != http.StatusUnauthorized {
			t.Error("notes were taken without their key")
		}
	}
	r := postNotes(mediaNotes, "")
	r.Method = http.MethodGet
	if s.answer(r).Code != http.StatusMethodNotAllowed {
		t.Error("GET was answered")
	}
	if got, want := s.stored(), []string{`+{"a":1}`, `+{"b":2}`, `+{"c":3}`}; !slices.Equal(got, want) && !slices.Equal(got, append(want, "")) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if strings.Contains(s.log.String(), "secret") {
		t.Errorf("the log holds what was sent:\n%s", s.log.String())
	}
	if files, _ := filepath.Glob(filepath.Join(s.dir, "*.ndjson")); len(files) != 1 {
		t.Errorf("segments: %q", files)
	}
}

func TestKeysInCommonAreFound(t *testing.T) {
	t.Parallel()
	parse := func(text string) *WriteKeys {
		k, err := ParseWriteKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	one, both := parse(testKey), parse("another-key-that-is-long\n"+testKey)
	if !one.Share(both) || !both.Share(one) || one.Share(parse("another-key-that-is-long")) {
		t.Error("keys in common are not told from others")
	}
}
