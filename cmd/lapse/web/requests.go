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
// it, and POST /v1/requests/ID/accept, refuse, extend and cancel decide about it. Who
// asked is in no answer and in no log.
type Requests struct {
	Keys   *WriteKeys // other ones than the collector's, and than those for notes
	Limits Limits     // that of a batch is a request's
	// Enter enters a request and returns it as it is shown. It is called for one request
	// at a time. A request whose id is in the register already is returned as it is.
	Enter func(ctx context.Context, id sinks.ID, asked *Asked) (shown any, entered bool, err error)
	// Show returns a request as it is shown; nil if there is none.
	Show func(ctx context.Context, id sinks.ID) (any, error)
	// Decide notes what was decided about a request and returns it as it is shown; nil if
	// there is none. It is called for one decision at a time.
	Decide func(ctx context.Context, id sinks.ID, event sinks.RequestEvent, d *Decision) (any, error)
	Log    *slog.Logger

	changing sync.Mutex
}

// decisions are the events that can be decided on, by the last part of the path.
var decisions = map[string]sinks.RequestEvent{
	"accept": sinks.RequestAccepted, "refuse": sinks.RequestRefused, "extend": sinks.RequestExtended, "cancel": sinks.RequestCancelled,
}

// Decision is the body of a decision about a request.
type Decision struct {
	// Reason is the code of a refusal, or why the time is extended, in words.
	Reason string `json:"reason,omitempty"`
	// Clause of the policy that a refusal rests on, such as C16.
	Clause string `json:"clause,omitempty"`
	// Until is to when the time is extended; by the policy's extension if it is left out.
	Until time.Time `json:"until,omitzero"`
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

// Fault is what is wrong with a request, in words that hold nothing about a person.
type Fault struct {
	Text     string
	Conflict bool // with what became of it before
}

// Error implements error.
func (f Fault) Error() string { return f.Text }

// longestIdempotencyKey bounds the header of that name.
const longestIdempotencyKey = 200

// Register adds the paths of requests to mux.
func (q *Requests) Register(mux *http.ServeMux) {
	q.handle(mux, "POST /v1/requests", q.take)
	q.handle(mux, "GET /v1/requests/{request}", q.tell)
	q.handle(mux, "POST /v1/requests/{request}/{decision}", q.decide)
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
	var asked Asked
	if ok, no := q.read(w, r, &asked); no != nil {
		return 0, nil, no
	} else if !ok {
		return 0, nil, badRequest("the body is not an object with right, subject, set, categories, recipient, received and identity_confirmed, of the types that the documentation names")
	}
	q.changing.Lock()
	defer q.changing.Unlock()
	shown, entered, err := q.Enter(r.Context(), id, &asked)
	if err != nil {
		return 0, nil, q.declined(err)
	}
	if entered {
		return http.StatusCreated, shown, nil
	}
	return http.StatusOK, shown, nil
}

// read reads a body into an object, and reports whether it is one: the decoder's error
// may quote what was sent.
func (q *Requests) read(w http.ResponseWriter, r *http.Request, into any) (ok bool, no *refusal) {
	var body bytes.Buffer
	if no := readBody(w, r, &body, q.Limits); no != nil {
		return false, no
	}
	decoder := json.NewDecoder(&body)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into) == nil && !decoder.More(), nil
}

// decide notes a decision about a request.
func (q *Requests) decide(w http.ResponseWriter, r *http.Request) (int, any, *refusal) {
	event, ok := decisions[r.PathValue("decision")]
	if !ok {
		return 0, nil, &refusal{status: http.StatusNotFound, index: -1, text: "a request can be accepted, refused, extended or cancelled: accept, refuse, extend, cancel"}
	}
	if no := acceptable(r, q.Limits, mediaNote); no != nil {
		return 0, nil, no
	}
	var d Decision
	if ok, no := q.read(w, r, &d); no != nil {
		return 0, nil, no
	} else if !ok {
		return 0, nil, badRequest("the body is not an object with reason, clause and until, as far as the decision needs them; {} if it needs none")
	}
	q.changing.Lock()
	defer q.changing.Unlock()
	return q.shown(r, func(ctx context.Context, id sinks.ID) (any, error) { return q.Decide(ctx, id, event, &d) })
}

// tell returns what became of a request.
func (q *Requests) tell(_ http.ResponseWriter, r *http.Request) (int, any, *refusal) {
	return q.shown(r, q.Show)
}

// shown answers with the request that is named in the path.
func (q *Requests) shown(r *http.Request, show func(context.Context, sinks.ID) (any, error)) (int, any, *refusal) {
	var id sinks.ID
	if id.UnmarshalText([]byte(r.PathValue("request"))) != nil {
		return 0, nil, badRequest("that is not the id of a request")
	}
	shown, err := show(r.Context(), id)
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
		no := badRequest(fault.Text)
		if fault.Conflict {
			no.status = http.StatusConflict
		}
		return no
	}
	q.Log.Error("a request of a data subject was not taken", "error", err)
	return &refusal{status: http.StatusServiceUnavailable, index: -1, text: "the register does not answer; try again later", retryAfter: retrySoon}
}

func badRequest(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, index: -1, text: text}
}
