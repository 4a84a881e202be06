package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// A probe of readiness ends after checkTimeout; its answer is given again for
// checkAge, so that whoever may ask cannot keep the stores busy.
const (
	checkTimeout = 2 * time.Second
	checkAge     = time.Second
)

// Check is one thing that has to be in order for the service to do its work. Its
// error is shown to whoever asks, so it may hold no personal data.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Health answers the probes of an orchestrator: /healthz says that the process runs,
// /readyz whether it can do its work and, where it cannot, why.
type Health struct {
	Checks []Check

	mu      sync.Mutex
	checked time.Time
	last    readiness
}

type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // ok, or what is wrong
}

// Register adds the paths to mux.
func (h *Health) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]bool{"alive": true})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		found := h.check(r.Context())
		status := http.StatusOK
		if !found.Ready {
			status = http.StatusServiceUnavailable
		}
		answerJSON(w, status, found)
	})
}

// check makes the checks side by side, or returns what they found just now.
func (h *Health) check(ctx context.Context) readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.checked) < checkAge {
		return h.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	words := make([]string, len(h.Checks))
	var all sync.WaitGroup
	for i, c := range h.Checks {
		all.Go(func() {
			words[i] = "ok"
			if err := c.Run(ctx); err != nil {
				words[i] = err.Error()
			}
		})
	}
	all.Wait()
	h.last = readiness{Ready: true, Checks: map[string]string{}}
	for i, c := range h.Checks {
		h.last.Checks[c.Name] = words[i]
		h.last.Ready = h.last.Ready && words[i] == "ok"
	}
	h.checked = time.Now()
	return h.last
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // to somebody who may have gone
}
