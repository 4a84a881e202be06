package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Answers carries out what people ask for other than to be erased: copies, corrections,
// restrictions, objections, withdrawals, explanations.
type Answers interface {
	// Answer carries out a request that was accepted. It may be asked again for one that
	// it has carried out in part or whole, and then ends in the same state.
	Answer(ctx context.Context, r *sinks.Request, p sinks.Person) (map[sinks.Count]uint64, error)
}

// planAnswers plans a step for each request that was accepted, those of which an answer
// has failed half-way included: a request stays accepted until it is answered.
func (j *Subject) planAnswers(all []sinks.Request) (steps []Step) {
	for i := range all {
		r := &all[i]
		if r.Right == sinks.RightErasure || r.State() != sinks.RequestAccepted || !j.concerns(r.ID) {
			continue
		}
		due, _ := AnswerDue(j.Policy, r)
		steps = append(steps, Step{
			ID: sinks.HashID(string(sinks.ActionAnswerRequest), r.ID.String()), Action: sinks.ActionAnswerRequest, Item: r.ID,
			Clause: j.Policy.RequestRule().Clause, Due: due, Reason: fmt.Sprintf("%s was asked for on %s", r.Right, sinks.DayOf(r.Received)),
		})
	}
	return steps
}

// concerns reports whether the job is to carry out a request.
func (j *Subject) concerns(request sinks.ID) bool {
	return len(j.Requests) == 0 || slices.Contains(j.Requests, request)
}

// answerOne carries out one request, ends it, and forgets who asked.
func (j *Subject) answerOne(ctx context.Context, s Step) Outcome {
	found, err := j.Register.Requests(ctx, s.Item)
	if err != nil {
		return failed(s, err)
	}
	o := Outcome{Step: s, Result: sinks.ResultUnchanged}
	if len(found) == 1 && found[0].State() == sinks.RequestAccepted {
		if o, err = j.carryOut(ctx, s, &found[0]); err != nil {
			return failed(s, err)
		}
	} else if len(found) == 1 && found[0].Open() {
		return o // it waits until it is known who asks
	}
	sinks.Failpoint("subject.noted")
	left, err := j.Register.ForgetPeople(ctx, []sinks.ID{s.Item})
	if err == nil && !left.Proven() {
		err = fmt.Errorf("%w: identifiers of a request that is done are still there", sinks.ErrVerification)
	}
	if err != nil {
		return failed(s, err)
	}
	return o
}

func (j *Subject) carryOut(ctx context.Context, s Step, r *sinks.Request) (Outcome, error) {
	o := Outcome{Step: s, Result: sinks.ResultDone}
	if j.Answers == nil {
		return o, fmt.Errorf("nobody here carries out requests for %s", r.Right)
	}
	people, err := j.Register.PeopleOf(ctx, []sinks.ID{r.ID})
	if err != nil {
		return o, err
	}
	if len(people) != 1 {
		return o, fmt.Errorf("%w: nobody knows any more whom the request is about; cancel it, and enter it anew", sinks.ErrSourceMissing)
	}
	if o.Counts, err = j.Answers.Answer(ctx, r, people[0]); err != nil {
		return o, err
	}
	sinks.Failpoint("subject.answered")
	at := time.Now().UTC().Truncate(time.Millisecond)
	if since := r.Since(); at.Before(since) {
		at = since
	}
	return o, j.Register.NoteRequests(ctx, []sinks.RequestNote{{Request: r.ID, Event: sinks.RequestDone, At: at, By: j.By}})
}
