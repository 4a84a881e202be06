package sinktest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Fault is what a Faults server does to a request.
type Fault int

// The faults.
const (
	NoFault      Fault = iota
	SlowDown           // 503, nothing was done
	Silence            // nothing was done, and no answer comes
	DoneUnheard        // done, but answered with 503
	DoneSilence        // done, but no answer comes
	BrokenAnswer       // done, but the answer breaks off in the middle
)

// Faults is a proxy in front of a server that lets requests fail: before they have
// had an effect, or after.
type Faults struct {
	Address string

	mu     sync.Mutex
	choose func(*http.Request) Fault
	met    map[Fault]int
	calls  atomic.Int64
}

// StartFaults starts a proxy in front of the server at address. choose says what
// happens to a request; it is called for one after the other.
func StartFaults(t testing.TB, address string, choose func(*http.Request) Fault) *Faults {
	t.Helper()
	f := &Faults{choose: choose, met: map[Fault]int{}}
	server := &url.URL{Scheme: "http", Host: address}
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.Host = r.In.Host // the signature is about it
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(through, w, r) }))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	f.Address = s.Listener.Addr().String()
	return f
}

// Half lets every second request fail, in a random way that the seed fixes.
func Half(seed uint64) func(*http.Request) Fault {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(*http.Request) Fault {
		if r.IntN(2) == 0 {
			return NoFault
		}
		return SlowDown + Fault(r.IntN(int(BrokenAnswer)))
	}
}

// Calls returns how many requests came in.
func (f *Faults) Calls() int { return int(f.calls.Load()) }

// Met returns how often each fault occurred.
func (f *Faults) Met() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	met := map[Fault]int{}
	for fault, n := range f.met {
		met[fault] = n
	}
	return met
}

func (f *Faults) serve(through http.Handler, w http.ResponseWriter, r *http.Request) {
	f.calls.Add(1)
	f.mu.Lock()
	fault := f.choose(r)
	f.met[fault]++
	f.mu.Unlock()
	switch fault {
	case NoFault:
		through.ServeHTTP(w, r)
		return
	case SlowDown:
		slowDown(w, r)
		return
	case Silence:
		silence(r)
		return
	}
	answer := httptest.NewRecorder()
	through.ServeHTTP(answer, r)
	switch fault {
	case DoneUnheard:
		slowDown(w, r)
	case DoneSilence:
		silence(r)
	case BrokenAnswer:
		body := answer.Body.Bytes()
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
}

func slowDown(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
}

// silence waits until the client gives up.
func silence(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection goes unnoticed
	<-r.Context().Done()
}
