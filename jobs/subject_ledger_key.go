package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// ErasureLedgerName is the name of the erasure ledger's key.
const ErasureLedgerName = "erasures"

// planLedgerKey plans to destroy the key of the erasure ledger when the policy's window
// since the last erasure has passed. A key that is younger than all entries has been
// made after that, and nobody is recognised by it.
func (j *Subject) planLedgerKey(ctx context.Context, now time.Time) ([]Step, error) {
	rule := j.Policy.RequestRule()
	if j.LedgerKeys == nil || rule.Erasures.IsZero() {
		return nil, nil
	}
	made, err := j.LedgerKeys.Made(ErasureLedgerName)
	if err != nil || made.IsZero() {
		return nil, err
	}
	var last time.Time
	err = j.Ledger.Erasures(ctx, made, func(e sinks.Erasure) {
		if e.RecordedAt.After(last) {
			last = e.RecordedAt
		}
	})
	if err != nil || last.IsZero() {
		return nil, err
	}
	due := rule.Erasures.After(last, j.Policy.TimeZone.Location())
	if due.After(now) {
		return nil, nil
	}
	return []Step{{
		ID: sinks.HashID(string(sinks.ActionDestroyKey), ErasureLedgerName, last.UTC().Format(time.RFC3339Nano)), Action: sinks.ActionDestroyKey, Rule: sinks.RuleErasure,
		Clause: rule.Clause, Due: due, Reason: fmt.Sprintf("the key of the erasure ledger is kept %s after the last erasure", rule.Erasures),
	}}, nil
}

// destroyLedgerKey destroys the key, unless somebody was erased since it was planned.
func (j *Subject) destroyLedgerKey(ctx context.Context, in Session, s Step) Outcome {
	due, err := j.planLedgerKey(ctx, in.AsOf)
	if err != nil {
		return failed(s, err)
	}
	if len(due) == 0 {
		return Outcome{Step: s, Result: sinks.ResultUnchanged}
	}
	before, err := j.LedgerKeys.Made(ErasureLedgerName)
	if err == nil {
		err = j.LedgerKeys.DestroySecret(ErasureLedgerName)
	}
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("subject.key_destroyed")
	made, err := j.LedgerKeys.Made(ErasureLedgerName)
	if err == nil && !made.IsZero() && !made.After(before) { // another one may have been made meanwhile
		err = fmt.Errorf("%w: the key is still there", sinks.ErrVerification)
	}
	if err != nil {
		return failed(s, err)
	}
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountObjects: 1}}
	o.reached(sinks.StageRemoved)
	o.reached(sinks.StageGone)
	return o
}
