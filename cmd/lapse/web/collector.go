package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/facesoft/lapse/sinks"
)

const (
	// memoryBytes bounds what all requests together hold of bodies and lines.
	memoryBytes = 64 << 20
	// memoryWait is how long a request waits for its share of that.
	memoryWait = 2 * time.Second
	// keptBytes and keptEvents are the sizes up to which buffers are used again.
	keptBytes  = 256 << 10
	keptEvents = 1024
)

// How long senders are asked to wait, in seconds: where memory is short for the
// moment, and where the spool is full until something has been ingested.
const (
	retrySoon = 1
	retryFull = 30
)

// kinds are the calls of the Segment specification; each has a path.
var kinds = []string{"track", "page", "screen", "identify", "group", "alias"}

// Collector takes events over HTTP into a spool.
type Collector struct {
	Spool  sinks.Spool
	Keys   *WriteKeys
	Limits Limits
	Now    func() time.Time
	Log    *slog.Logger
	// Observe is told of each request. It may be nil.
	Observe func(status, events int)

	memory  *semaphore.Weighted
	buffers sync.Pool
}

// workspace is what one request needs.
type workspace struct {
	body     bytes.Buffer
	lines    []byte
	splitter splitter
}

// Register adds the collector's paths to mux: one for each kind of call, and those
// of batches.
func (c *Collector) Register(mux *http.ServeMux) {
	c.memory = semaphore.NewWeighted(memoryBytes)
	c.buffers.New = func() any { return new(workspace) }
	for _, path := range []string{"/v1/batch", "/v1/import"} {
		mux.Handle(path, c.handler(""))
	}
	for _, kind := range kinds {
		mux.Handle("/v1/"+kind, c.handler(kind))
	}
}

// handler answers requests with events of a kind, or with batches.
func (c *Collector) handler(kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		events, no := c.collect(w, r, kind)
		status := http.StatusOK
		if no == nil {
			write(w, status, outcome{Success: true})
		} else {
			status = no.status
			decline(w, no)
		}
		if c.Observe != nil {
			c.Observe(status, events)
		}
		c.Log.Debug("request", "path", r.Pattern, "status", status, "events", events, "ms", float64(time.Since(begin).Microseconds())/1000)
	})
}

// collect takes one request and returns how many events it brought, or why it is
// not taken.
func (c *Collector) collect(w http.ResponseWriter, r *http.Request, kind string) (int, *refusal) {
	if r.Method != http.MethodPost {
		return 0, &refusal{status: http.StatusMethodNotAllowed, index: -1, text: "use POST"}
	}
	if !c.Keys.allow(r) {
		return 0, &refusal{status: http.StatusUnauthorized, index: -1, text: "show a write key as the user of basic authentication"}
	}
	if no := acceptable(r, c.Limits, "application/json"); no != nil {
		return 0, no
	}
	release, no := c.reserve(r)
	if no != nil {
		return 0, no
	}
	defer release()
	work := c.buffers.Get().(*workspace)
	defer c.recycle(work)
	if no := readBody(w, r, &work.body, c.Limits); no != nil {
		return 0, no
	}
	lines, n, no := work.splitter.split(work.lines[:0], work.body.Bytes(), kind, c.Limits, c.Now())
	if no != nil {
		return 0, no
	}
	work.lines = lines
	return n, keep(r.Context(), c.Spool, c.Log, lines)
}

// keep makes lines durable.
func keep(ctx context.Context, spool sinks.Spool, log *slog.Logger, lines []byte) *refusal {
	err := spool.Append(ctx, lines)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sinks.ErrFull):
		return &refusal{status: http.StatusTooManyRequests, index: -1, text: "the spool is full; try again later", retryAfter: retryFull}
	case ctx.Err() == nil:
		log.Error("what was sent could not be stored", "error", err)
	}
	return &refusal{status: http.StatusServiceUnavailable, index: -1, text: "what was sent could not be stored; try again later", retryAfter: retrySoon}
}

// reserve waits for the request's share of the memory: its body, the lines made of
// it, and what is noted of each event.
func (c *Collector) reserve(r *http.Request) (release func(), no *refusal) {
	body := int64(c.Limits.BatchBytes)
	if gzipped, _ := compressed(r); !gzipped && r.ContentLength >= 0 {
		body = r.ContentLength
	}
	const anEvent = addedBytes + 200
	share := min(2*body+anEvent*min(int64(c.Limits.Events), body/2), memoryBytes)
	ctx, cancel := context.WithTimeout(r.Context(), memoryWait)
	defer cancel()
	if c.memory.Acquire(ctx, share) != nil {
		return nil, tooMany()
	}
	return func() { c.memory.Release(share) }, nil
}

func tooMany() *refusal {
	return &refusal{status: http.StatusTooManyRequests, index: -1, text: "too many requests at once; try again later", retryAfter: retrySoon}
}

// recycle keeps a workspace for another request, without what it holds.
func (c *Collector) recycle(work *workspace) {
	if work.body.Cap() > keptBytes || cap(work.lines) > 2*keptBytes || cap(work.splitter.events) > keptEvents {
		return
	}
	work.body.Reset()
	work.splitter.reset(nil, "", Limits{})
	c.buffers.Put(work)
}

// outcome is the body of an answer.
type outcome struct {
	Success bool   `json:"success"`
	Message string `json:"message,omitempty"`
	Index   *int   `json:"index,omitempty"` // of the event at fault, from 0
}

func decline(w http.ResponseWriter, no *refusal) {
	h := w.Header()
	switch no.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Basic realm="lapse", charset="UTF-8"`)
	case http.StatusUnsupportedMediaType:
		h.Set("Accept-Encoding", "gzip")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(no.retryAfter))
	}
	o := outcome{Message: no.text}
	if no.index >= 0 {
		o.Index = &no.index
	}
	write(w, no.status, o)
}

func write(w http.ResponseWriter, status int, o outcome) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(o) // a sender that is gone asks again
}
