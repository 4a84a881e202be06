package kubelease

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// apiServer keeps leases as the API server does: whole objects of its own types, strictly
// decoded, replaced only by who has read the newest version.
type apiServer struct {
	*httptest.Server
	mu      sync.Mutex
	leases  map[string]*coordination.Lease
	version int
	fail    atomic.Int32 // answers with this status, if it is not 0
}

const token = "token-of-the-service-account"

func startServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{leases: map[string]*coordination.Lease{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status := int(s.fail.Load()); status != 0 {
		w.WriteHeader(status)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/apis/coordination.k8s.io/v1/namespaces/privacy/leases")
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	name = strings.TrimPrefix(name, "/")
	status := http.StatusOK
	if r.Method != http.MethodGet {
		name, status = s.store(r, name)
	} else if s.leases[name] == nil {
		status = http.StatusNotFound
	}
	w.WriteHeader(status)
	if status < 300 {
		_ = json.NewEncoder(w).Encode(s.leases[name])
	}
}

func (s *apiServer) store(r *http.Request, name string) (string, int) {
	var sent coordination.Lease
	strict := json.NewDecoder(r.Body)
	strict.DisallowUnknownFields()
	if err := strict.Decode(&sent); err != nil || sent.Kind != "Lease" || sent.APIVersion != "coordination.k8s.io/v1" || sent.Spec.RenewTime == nil {
		return "", http.StatusBadRequest
	}
	have := s.leases[sent.Name]
	switch {
	case r.Method == http.MethodPost && (name != "" || have != nil):
		return "", http.StatusConflict
	case r.Method == http.MethodPut && (have == nil || name != sent.Name):
		return "", http.StatusNotFound
	case r.Method == http.MethodPut && have.ResourceVersion != sent.ResourceVersion:
		return "", http.StatusConflict
	}
	s.version++
	sent.ResourceVersion = strconv.Itoa(s.version)
	s.leases[sent.Name] = &sent
	return sent.Name, http.StatusOK
}

// leases returns those of a pod, with short intervals.
func (s *apiServer) pod(t *testing.T, holder string) *Leases {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	l := New(Options{Server: address, Namespace: "privacy", CA: pool, TokenFile: file, Prefix: "lapse", Holder: holder})
	sinktest.Brief(l.RenewedLease)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestKubernetesKeepsLeases(t *testing.T) {
	t.Parallel()
	sinktest.TestLease(t, func(t *testing.T) func() sinks.Lease {
		s, n := startServer(t), 0
		return func() sinks.Lease {
			n++
			return s.pod(t, fmt.Sprint("pod-", n))
		}
	})
}

func TestLeaseObjectSaysWhoHasItAndHowOftenItWent(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for range 2 {
		_, release, err := s.pod(t, "a").Hold(t.Context(), "purge", false)
		if err != nil {
			t.Fatal(err)
		}
		if found := s.leases["lapse-purge"]; !strings.HasPrefix(*found.Spec.HolderIdentity, "a_") {
			t.Errorf("%+v", found)
		}
		release()
	}
	if found := s.leases["lapse-purge"]; *found.Spec.LeaseTransitions != 2 || *found.Spec.HolderIdentity != "" {
		t.Errorf("%+v", found)
	}
}

// TestLeasesAreHeldTogetherOrNotAtAll takes a lease twice where somebody has the second.
func TestLeasesAreHeldTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	s, other := startServer(t), startServer(t)
	both := sinks.Leases{s.pod(t, "a"), other.pod(t, "a")}
	_, taken, err := other.pod(t, "b").Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := both.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("%v", err)
	}
	if holder := *s.leases["lapse-purge"].Spec.HolderIdentity; holder != "" {
		t.Errorf("%s kept the first", holder)
	}
	taken()
	_, release, err := both.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestLeaseOfADeadPodRunsOut(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dead := newLease("lapse-purge")
	l := s.pod(t, "b")
	dead.hold("dead", time.Now(), time.Second)
	if _, err := l.write(t.Context(), http.MethodPost, dead); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("before it has run out: %v", err)
	}
	l.now = func() time.Time { return time.Now().Add(time.Second + clockSlack) }
	_, release, err := l.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestLeaseIsLostToAnotherAndKeptOverAShortSilence(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	l := s.pod(t, "a")
	held, release, err := l.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	s.fail.Store(http.StatusServiceUnavailable)
	time.Sleep(400 * time.Millisecond)
	s.fail.Store(0)
	time.Sleep(300 * time.Millisecond)
	if held.Err() != nil {
		t.Error("a short silence lost the lease")
	}
	s.mu.Lock() // somebody takes it by force
	s.version++
	thief := "thief"
	s.leases["lapse-purge"].ResourceVersion, s.leases["lapse-purge"].Spec.HolderIdentity = strconv.Itoa(s.version), &thief
	s.mu.Unlock()
	select {
	case <-held.Done():
		if cause := context.Cause(held); !errors.Is(cause, sinks.ErrHeld) {
			t.Errorf("%v", cause)
		}
	case <-time.After(5 * time.Second):
		t.Error("the holder does not notice")
	}
	release()
	if *s.leases["lapse-purge"].Spec.HolderIdentity != "thief" {
		t.Error("the lease of another was given back")
	}
}

func TestLeaseIsLostInALongSilence(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	held, release, err := s.pod(t, "a").Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s.fail.Store(http.StatusInternalServerError)
	select {
	case <-held.Done():
	case <-time.After(5 * time.Second):
		t.Error("work goes on under a lease that has run out")
	}
}

func TestRefusalNamesTheRoleThatIsMissing(t *testing.T) {

	s := startServer(t)
	s.fail.Store(http.StatusForbidden)
	if _, _, err := s.pod(t, "a").Hold(t.Context(), "purge", true); err == nil || !strings.Contains(err.Error(), "get, create and update on leases") || strings.Contains(err.Error(), token) {
		t.Errorf("%v", err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InPod("lapse"); err == nil || !strings.Contains(err.Error(), "lease.kind") {
		t.Errorf("%v", err)
	}
}
