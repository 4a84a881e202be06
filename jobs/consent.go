package jobs

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Consent enters decisions that somebody reports in the consent ledger: all of them
// to consent, or all against it. It changes nothing that is held already; records
// that arrive from now on are held against the ledger.
type Consent struct {
	Ledger    sinks.ConsentLedger
	Decisions []sinks.ConsentDecision
	Clause    string
}

var _ Job = (*Consent)(nil)

// Kind implements Job.
func (*Consent) Kind() sinks.JobKind { return sinks.JobConsent }

// Batch implements Job.
func (*Consent) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*Consent) Parallel() int { return 1 }

// Plan implements Job: one step for all decisions.
func (j *Consent) Plan(context.Context, time.Time) ([]Step, error) {
	if len(j.Decisions) == 0 {
		return nil, nil
	}
	s := Step{Action: sinks.ActionWithdraw, Clause: j.Clause, Reason: "consent was withdrawn"}
	if j.Decisions[0].Granted {
		s.Action, s.Reason = sinks.ActionRecordConsent, "consent was given"
	}
	subjects := map[sinks.SubjectKey]bool{}
	parts := []string{string(s.Action)}
	for _, d := range j.Decisions {
		subjects[d.Subject] = true
		parts = append(parts, hex.EncodeToString(d.Subject[:]), d.Category, d.At.Format(time.RFC3339Nano))
	}
	s.ID, s.Subjects = sinks.HashID(parts...), uint64(len(subjects))
	return []Step{s}, nil
}

// Execute implements Job. What an interrupted run was told is not in the audit log,
// so it has to be told again.
func (j *Consent) Execute(ctx context.Context, _ Session, steps []Step) []Outcome {
	s := steps[0]
	mine, err := j.Plan(ctx, time.Time{})
	if err != nil {
		return failAll(steps, err)
	}
	if len(mine) == 0 || mine[0].ID != s.ID {
		return []Outcome{{Step: s, Result: sinks.ResultAbandoned, Err: fmt.Errorf("%w: a run that recorded consent was interrupted; repeat its command", sinks.ErrSourceMissing)}}
	}
	if err := j.Ledger.RecordConsents(ctx, j.Decisions); err != nil {
		return failAll(steps, err)
	}
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountSubjects: s.Subjects}}
	o.reached(sinks.StageStored)
	return []Outcome{o}
}
