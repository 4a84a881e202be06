package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// AdoptPolicy makes a service carry out another version of its policy (C17). Its entries
// in the audit log bear the name, version and hash of the new one.
type AdoptPolicy struct {
	Policy *config.Policy
	Adopt  func() // what comes after it goes by the new policy
}

var _ Job = (*AdoptPolicy)(nil)

// Kind implements Job.
func (*AdoptPolicy) Kind() sinks.JobKind { return sinks.JobPolicy }

// Batch implements Job.
func (*AdoptPolicy) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*AdoptPolicy) Parallel() int { return 1 }

// Plan implements Job.
func (j *AdoptPolicy) Plan(context.Context, time.Time) ([]Step, error) {
	return []Step{{
		ID: sinks.HashID(j.Policy.Name, string(sinks.ActionAdoptPolicy), fmt.Sprintf("%x", j.Policy.Hash)), Action: sinks.ActionAdoptPolicy,
		Reason: "the policy was changed",
	}}, nil
}

// Execute implements Job. A change that was interrupted was none: the service that was
// to make it has ended, and whichever runs next goes by the file as it is.
func (j *AdoptPolicy) Execute(_ context.Context, _ Session, steps []Step) []Outcome {
	outcomes := make([]Outcome, len(steps))
	planned, _ := j.Plan(context.Background(), time.Time{})
	for i, s := range steps {
		outcomes[i] = Outcome{Step: s, Result: sinks.ResultAbandoned}
		if s.ID == planned[0].ID {
			j.Adopt()
			outcomes[i].Result = sinks.ResultDone
		}
	}
	return outcomes
}
