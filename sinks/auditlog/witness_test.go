package auditlog

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAnchorsAreKeptAndChecked(t *testing.T) {
	t.Parallel()
	ctx, k := context.Background(), testKey(t)
	key := testVerifier(t, k)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "anchors")
	clock := &clock{t: start}
	l := openTestLog(t, openTestFolder(t, dir), k, clock.now)
	var states []memory
	for day := range 4 {
		clock.set(start.AddDate(0, 4*day, 0)) // into the next year
		mustAppend(t, l, pairs(150)...)
		for range 2 { // the second has nothing to add
			if err := AddAnchor(ctx, ReadFolder(dir), key, path); err != nil {
				t.Fatal(err)
			}
		}
		states = append(states, load(t, ReadFolder(dir)))
	}
	_ = l.Close()
	anchors, err := LoadAnchors(path)
	if err != nil || len(anchors) != 4 {
		t.Fatalf("%d anchors, %v", len(anchors), err)
	}
	if r := mustVerify(t, ReadFolder(dir), k, anchors...); r.Anchors != 4 {
		t.Errorf("consistent with %d anchors", r.Anchors)
	}
	mustFind(t, states[1], k, anchors[2].Name, anchors...)
	for i, m := range states[:3] {
		if err := AddAnchor(ctx, m, key, path); err == nil {
			t.Errorf("state %d was anchored after state 3", i)
		}
	}
	if err := AddAnchor(ctx, writeLog(t, k, 700), key, path); err == nil {
		t.Error("a fork was anchored")
	}
	if err := AddAnchor(ctx, states[3], testVerifier(t, testKey(t)), path); err == nil {
		t.Error("another key's log was anchored")
	}
	if after, err := LoadAnchors(path); err != nil || len(after) != 4 {
		t.Errorf("%d anchors, %v", len(after), err)
	}
}

func TestDamagedAnchorFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "anchors")
	m := writeLog(t, testKey(t), 1)
	whole := string(m["2026/checkpoint"])
	for _, text := range []string{whole + "x", whole[:len(whole)-1], "x", whole + whole[:20]} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadAnchors(path); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// shelf is an HTTP server that keeps what is PUT, once.
type shelf struct {
	mu    sync.Mutex
	files map[string]string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.files[r.URL.String()]
	switch {
	case r.Method == http.MethodGet && ok:
		_, _ = io.WriteString(w, have)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
	case ok && r.Header.Get("If-None-Match") == "*":
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		b, _ := io.ReadAll(r.Body)
		s.files[r.URL.String()] = string(b)
		w.WriteHeader(http.StatusCreated)
	}
}

func TestAnchorsArePutElsewhereOnce(t *testing.T) {
	t.Parallel()
	ctx, k := context.Background(), testKey(t)
	s := &shelf{files: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	put := func(m memory) error {
		return PutAnchor(ctx, m, testVerifier(t, k), server.Client(), server.URL+"/lapse/?sig=1")
	}
	m := writeLog(t, k, 5)
	for range 2 {
		if err := put(m); err != nil {
			t.Fatal(err)
		}
	}
	if s.files["/lapse/2026/5?sig=1"] != string(m["2026/checkpoint"]) || len(s.files) != 1 {
		t.Errorf("%q", s.files)
	}
	if err := put(writeLog(t, k, 5)); err == nil || !strings.Contains(err.Error(), "forked") {
		t.Errorf("%v, want a fork to be told", err)
	}
}
