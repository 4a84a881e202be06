package jobs_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// failsOnce is what carries out requests, and fails with the first.
type failsOnce struct{ asked []sinks.Person }

func (f *failsOnce) Answer(_ context.Context, _ *sinks.Request, p sinks.Person) (map[sinks.Count]uint64, error) {
	f.asked = append(f.asked, p)
	if len(f.asked) == 1 {
		return nil, errors.New("half-way")
	}
	return nil, nil
}

// TestFailedAnswersAreTakenUpAgain has the answer to one of two requests fail: it stays
// accepted, with all that was asked for, and the next run answers it.
func TestFailedAnswersAreTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	change := &jobs.RequestChange{Policy: s.policy, Register: s.store}
	var ids []sinks.ID
	for range 2 {
		p := sinks.Person{
			ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user_id", Text: "ann"}},
			Terms: []sinks.Term{{Name: sinks.TermSet + "email", Value: "ann@example.org"}},
		}
		ids = append(ids, p.ID)
		change.People = append(change.People, p)
		change.New = append(change.New, sinks.Request{ID: p.ID, Right: sinks.RightRectification, Received: end(1), History: []sinks.RequestNote{
			{Request: p.ID, Event: sinks.RequestReceived, At: end(1), By: "dpo"}, {Request: p.ID, Event: sinks.RequestAccepted, At: end(1), By: "dpo"},
		}})
	}
	s.must(change, end(1))
	answers := &failsOnce{}
	job := s.subjectJob()
	job.Answers = answers
	report, err := s.run(s.Context(), job, end(1))
	if err == nil || report.Failed != 1 || report.Steps != 2 {
		t.Errorf("%v: %+v", err, report)
	}
	if states := s.states(ids); len(states) != 2 || !slices.Contains(states, sinks.RequestAccepted) || !slices.Contains(states, sinks.RequestDone) {
		t.Errorf("after a failure the requests are %v", states)
	}
	s.must(job, end(1))
	if states := s.states(ids); !slices.Equal(states, []sinks.RequestEvent{sinks.RequestDone}) {
		t.Errorf("after another run the requests are %v", states)
	}
	if len(answers.asked) != 3 || answers.asked[2].TermsOf(sinks.TermSet + "email")[0] != "ann@example.org" {
		t.Errorf("asked for %+v", answers.asked)
	}
	for _, table := range []string{"request_people", "request_terms"} {
		if n := s.count("SELECT count() FROM {control}." + table); n != 0 {
			t.Errorf("%s has %d rows of requests that are answered", table, n)
		}
	}
	s.must(job, end(1))
	if len(answers.asked) != 3 {
		t.Error("an answered request was answered again")
	}
}
