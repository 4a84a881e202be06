package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Sweep erases again whoever the erasure ledger knows: rows that a restored backup has
// brought back, or that came by ways that pass no gate (I8). It knows people by keyed
// hashes alone.
type Sweep struct {
	Policy *config.Policy
	Tables sinks.PeopleTables
	Keys   ErasureKeys
	Locks  sinks.Locker
}

var _ Job = (*Sweep)(nil)

// Kind implements Job.
func (*Sweep) Kind() sinks.JobKind { return sinks.JobSweep }

// Batch implements Job.
func (*Sweep) Batch(steps []Step) int { return samePartitions(steps, erasedTogether, 1<<62) }

// Parallel implements Job.
func (*Sweep) Parallel() int { return 1 }

// Plan implements Job.
func (j *Sweep) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	keys, err := j.Keys.All()
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	rows, _, met := j.Tables.CountPeople(ctx, sinks.People{Erased: keys}, now)
	steps := erasureSteps(j.Policy, sinks.RuleErasure, rows)
	for i := range steps {
		steps[i].Reason = fmt.Sprintf("%d people who were erased have come back", steps[i].Subjects)
	}
	return steps, met
}

// Execute implements Job.
func (j *Sweep) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	if steps[0].Action != sinks.ActionErasePeople {
		return failAll(steps, fmt.Errorf("a sweep does not do %q", steps[0].Action))
	}
	keys, err := j.Keys.All()
	if err != nil {
		return failAll(steps, err)
	}
	return erasePeople(ctx, j.Locks, j.Tables, sinks.People{Erased: keys}, in, steps)
}
