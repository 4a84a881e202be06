package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Requests takes what data subjects ask for over HTTP (C14), and tells what became of
// it. POST /v1/requests enters a request in the register, GET /v1/requests/ID returns
// it. Who asked is in no answer and in no log.
type Requests struct {
	Keys   *WriteKeys // other ones than the collector's, and than those for notes
	Limits Limits     // that of a batch is a request's
	// Enter enters a request and returns it as it is shown. It is called for one request
	// at a time. A request whose id is in the register already is returned as it is.
	Enter func(ctx context.Context, id sinks.ID, asked *Asked) (shown any, entered bool, err error)
	// Show returns a request as it is shown; nil if there is none.
	Show func(ctx context.Context, id sinks.ID) (any, error)
	Log  *slog.Logger

	entering sync.Mutex
}

// Asked is the body of a request: what a person asks for.
type Asked struct {
	Right sinks.Right `json:"right"`
	// Subject names the person, by columns such as user_id or email.
	Subject map[string]string `json:"subject"`
	// Set has the right values for columns (rectification), Categories what is withdrawn
	// (withdrawal), Recipient an age key for the copy (access, portability).
	Set        map[string]string `json:"set,omitempty"`
	Categories []string          `json:"categories,omitempty"`
	Recipient  string            `json:"recipient,omitempty"`
	// Received is when the request was received; now if it is left out.
	Received time.Time `json:"received,omitzero"`
	// IdentityConfirmed says that the sender knows that the person is who asks. Without
	// it the clock stands still until 'lapse subject accept'.
	IdentityConfirmed bool `json:"identity_confirmed"`
}

// Fault is what is wrong with a request, in words that hold nothing of its values.
type Fault struct{ Text string }

// Error implements error.
func (f Fault) Error() string { return f.Text }

// longestIdempotencyKey bounds the header of that name.
const longestIdempotencyKey = 200

// Register adds the paths of requests to mux.
func (q *Requests) Register(mux *http.ServeMux) {
	q.handle(mux, "POST /v1/requests", q.take)
	q.handle(mux, "GET /v1/requests/{request}", q.tell)
}

func (q *Requests) handle(mux *http.ServeMux, pattern string, answer func(http.ResponseWriter, *http.Request) (int, any, *refusal)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		if !q.Keys.allow(r) {
			decline(w, &refusal{status: http.StatusUnauthorized, index: -1, text: "show a key for requests as the user of basic authentication"})
			return
		}
		status, shown, no := answer(w, r)
		if no != nil {
			status = no.status
			decline(w, no)
		} else {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(shown) // a sender that is gone asks again
		}
		q.Log.Debug("request", "path", r.Pattern, "status", status, "ms", float64(time.Since(begin).Microseconds())/1000)
	})
}

// take enters a request. One with the Idempotency-Key of an earlier one is that one.
func (q *Requests) take(w http.ResponseWriter, r *http.Request) (int, any, *refusal) {
	if no := acceptable(r, q.Limits, mediaNote); no != nil {
		return 0, nil, no
	}
	id := sinks.NewID()
	if key := r.Header.Get("Idempotency-Key"); len(key) > longestIdempotencyKey {
		return 0, nil, badRequest("the Idempotency-Key is too long")
	} else if key != "" {
		id = sinks.HashID("request by HTTP", key)
	}
	var body bytes.Buffer
	if no := readBody(w, r, &body, q.Limits); no != nil {
		return 0, nil, no
	}
	var asked Asked
	decoder := json.NewDecoder(&body)
	decoder.DisallowUnknownFields()
	if decoder.Decode(&asked) != nil || decoder.More() { // its error may quote what was sent
		return 0, nil, badRequest("the body is not an object with right, subject, set, categories, recipient, received and identity_confirmed, of the types that the documentation names")
	}
	q.entering.Lock()
	defer q.entering.Unlock()
	shown, entered, err := q.Enter(r.Context(), id, &asked)
	if err != nil {
		return 0, nil, q.declined(err)
	}
	if entered {
		return http.StatusCreated, shown, nil
	}
	return http.StatusOK, shown, nil
}

// tell returns what became of a request.
func (q *Requests) tell(_ http.ResponseWriter, r *http.Request) (int, any, *refusal) {
	var id sinks.ID
	if id.UnmarshalText([]byte(r.PathValue("request"))) != nil {
		return 0, nil, badRequest("that is not the id of a request")
	}
	shown, err := q.Show(r.Context(), id)
	switch {
	case err != nil:
		return 0, nil, q.declined(err)
	case shown == nil:
		return 0, nil, &refusal{status: http.StatusNotFound, index: -1, text: "there is no such request"}
	}
	return http.StatusOK, shown, nil
}

// declined says what an error means for the sender. Errors of the stores hold nothing
// about people.
func (q *Requests) declined(err error) *refusal {
	var fault Fault
	if errors.As(err, &fault) {
		return badRequest(fault.Text)
	}
	q.Log.Error("a request of a data subject was not taken", "error", err)
	return &refusal{status: http.StatusServiceUnavailable, index: -1, text: "the register does not answer; try again later", retryAfter: retrySoon}
}

func badRequest(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, index: -1, text: text}
}
