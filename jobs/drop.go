package jobs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Drop deletes quarantined records that somebody has selected, before their window has
// passed. Those under legal hold stay.
type Drop struct {
	Policy     *config.Policy
	Quarantine sinks.Quarantine
	Personal   sinks.PersonalTables
	Locks      sinks.Locker
	Which      sinks.QuarantineSelection
}

var _ Job = (*Drop)(nil)

// Kind implements Job.
func (*Drop) Kind() sinks.JobKind { return sinks.JobDrop }

// Batch implements Job.
func (*Drop) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*Drop) Parallel() int { return 1 }

// Plan implements Job: one step for all that is selected.
func (j *Drop) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	records, bytes, err := j.Quarantine.CountQuarantined(ctx, j.Which, now)
	if err != nil || records == 0 {
		return nil, err
	}
	return []Step{{
		ID: j.step(), Action: sinks.ActionDropRecords, Dataset: sinks.QuarantineDataset, Rows: records, Bytes: bytes,
		Rule: sinks.RuleQuarantined, Clause: j.Policy.Quarantine.Clause, Reason: "somebody has decided that they are not needed",
	}}, nil
}

// step is the same for the same selection.
func (j *Drop) step() sinks.ID {
	w := j.Which
	return sinks.HashID(string(sinks.ActionDropRecords), w.Record.String(), w.Reason, strconv.FormatInt(w.Before.UnixMilli(), 10))
}

// Execute implements Job. What an interrupted run was to delete is not in the audit
// log, so it has to be told again.
func (j *Drop) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	s := steps[0]
	if s.ID != j.step() {
		return []Outcome{{Step: s, Result: sinks.ResultAbandoned, Err: fmt.Errorf("%w: a run that was to drop quarantined records was interrupted; repeat its command", sinks.ErrSourceMissing)}}
	}
	if err := sealQuarantine(ctx, j.Locks, j.Personal); err != nil {
		return failAll(steps, err)
	}
	records, left, err := j.Quarantine.RemoveQuarantined(ctx, j.Which, in.AsOf)
	if err != nil {
		return failAll(steps, err)
	}
	sinks.Failpoint("drop.removed")
	o := absent(s, left)
	o.Counts = map[sinks.Count]uint64{sinks.CountBefore: records}
	return []Outcome{o}
}
