package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// RequestChange enters new requests in the register, or what became of some (C14, C15).
type RequestChange struct {
	Policy   *config.Policy
	Register sinks.RequestRegister
	// New are requests with their histories, and People whom they are about.
	New    []sinks.Request
	People []sinks.Person
	// Notes are about requests that the register has.
	Notes []sinks.RequestNote
}

var _ Job = (*RequestChange)(nil)

// ErrRequestState means that a request is in a state in which something cannot happen to
// it.
var ErrRequestState = errors.New("the request's state does not allow it")

// requestActions are what entries of the audit log call the events.
var requestActions = map[sinks.RequestEvent]sinks.Action{
	sinks.RequestReceived:  sinks.ActionReceiveRequest,
	sinks.RequestPending:   sinks.ActionAwaitIdentity,
	sinks.RequestAccepted:  sinks.ActionAcceptRequest,
	sinks.RequestRefused:   sinks.ActionRefuseRequest,
	sinks.RequestExtended:  sinks.ActionExtendRequest,
	sinks.RequestCancelled: sinks.ActionCancelRequest,
	sinks.RequestDone:      sinks.ActionAnswerRequest,
}

// requestStates are those that an event can follow.
var requestStates = map[sinks.RequestEvent][]sinks.RequestEvent{
	sinks.RequestPending:   {sinks.RequestReceived},
	sinks.RequestAccepted:  {sinks.RequestReceived, sinks.RequestPending},
	sinks.RequestRefused:   {sinks.RequestReceived, sinks.RequestPending, sinks.RequestAccepted},
	sinks.RequestCancelled: {sinks.RequestReceived, sinks.RequestPending, sinks.RequestAccepted},
	sinks.RequestExtended:  {sinks.RequestReceived, sinks.RequestPending, sinks.RequestAccepted, sinks.RequestExecuting},
	sinks.RequestDone:      {sinks.RequestAccepted, sinks.RequestExecuting},
}

// Kind implements Job.
func (*RequestChange) Kind() sinks.JobKind { return sinks.JobRequest }

// Batch implements Job.
func (*RequestChange) Batch(steps []Step) int { return len(steps) }

// Parallel implements Job.
func (*RequestChange) Parallel() int { return 1 }

// Plan implements Job: a step for each event.
func (j *RequestChange) Plan(ctx context.Context, _ time.Time) ([]Step, error) {
	var steps []Step
	for _, r := range j.New {
		for _, n := range r.History {
			steps = append(steps, j.step(n))
		}
	}
	if len(j.Notes) == 0 {
		return steps, nil
	}
	known, err := j.Register.Requests(ctx, sinks.ID{})
	if err != nil {
		return nil, err
	}
	for _, n := range j.Notes {
		i := slices.IndexFunc(known, func(r sinks.Request) bool { return r.ID == n.Request })
		if i < 0 {
			return nil, fmt.Errorf("%w: there is no request %s; 'lapse subject list --all' shows them", ErrRequestState, n.Request)
		}
		if state := known[i].State(); !slices.Contains(requestStates[n.Event], state) {
			return nil, fmt.Errorf("%w: %s is %s, so it cannot be %s", ErrRequestState, n.Request, state, n.Event)
		}
		steps = append(steps, j.step(n))
	}
	return steps, nil
}

func (j *RequestChange) step(n sinks.RequestNote) Step {
	s := Step{Action: requestActions[n.Event], Item: n.Request, Clause: n.Clause, Reason: "a request is " + string(n.Event)}
	if s.Clause == "" {
		s.Clause = j.Policy.RequestRule().Clause
	}
	s.ID = sinks.HashID(string(s.Action), n.Request.String(), n.At.Format(time.RFC3339Nano))
	return s
}

// Execute implements Job. What an interrupted run was told is not known any more, unless
// it was stored: then it is done, and else it has to be said again.
func (j *RequestChange) Execute(ctx context.Context, _ Session, steps []Step) []Outcome {
	err := error(nil)
	if len(j.New) > 0 {
		err = j.Register.PutRequests(ctx, j.New, j.People)
	}
	if err == nil {
		err = j.Register.NoteRequests(ctx, j.Notes)
	}
	if err != nil {
		return failAll(steps, err)
	}
	var settled []sinks.ID // nobody needs to know any more whom these were about
	for _, n := range j.Notes {
		if n.Event == sinks.RequestRefused || n.Event == sinks.RequestCancelled || n.Event == sinks.RequestDone {
			settled = append(settled, n.Request)
		}
	}
	if len(settled) > 0 {
		left, err := j.Register.ForgetPeople(ctx, settled)
		if err == nil && !left.Proven() {
			err = fmt.Errorf("%w: identifiers of requests that are settled are still there", sinks.ErrVerification)
		}
		if err != nil {
			return failAll(steps, err)
		}
	}
	known, err := j.Register.Requests(ctx, sinks.ID{})
	if err != nil {
		return failAll(steps, err)
	}
	stored := map[sinks.ID]bool{}
	for _, r := range known {
		for _, n := range r.History {
			stored[j.step(n).ID] = true
		}
	}
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone}
		if !stored[s.ID] {
			outcomes[i].Result = sinks.ResultAbandoned
		}
	}
	return outcomes
}
