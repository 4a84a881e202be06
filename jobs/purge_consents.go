package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// ConsentLedgerName is the name of the consent ledger's key.
const ConsentLedgerName = "consents"

// planConsents plans to delete decisions about consent that have held no more for as long
// as the policy keeps them (C12).
func (j *Purge) planConsents(ctx context.Context, now time.Time) ([]Step, error) {
	if j.Consents == nil || j.Ledgers == nil {
		return nil, nil
	}
	w := j.Policy.ConsentWindow()
	key, err := j.Ledgers.Secret(ConsentLedgerName)
	if err != nil {
		return nil, fmt.Errorf("plan consent ledger: %w", err)
	}
	decisions, set, err := j.Consents.ExpiredConsents(ctx, w.Keep.Before(now, j.Policy.TimeZone.Location()), now, key)
	if err != nil {
		return nil, fmt.Errorf("plan consent ledger: %w", err)
	}
	if decisions == 0 {
		return nil, nil
	}
	return []Step{{
		ID:     sinks.HashID(j.Policy.Name, j.Policy.Version, string(sinks.ActionForgetConsents), set.String()),
		Action: sinks.ActionForgetConsents, Rule: sinks.RuleDecided, Clause: w.Clause, Rows: decisions,
		Reason: fmt.Sprintf("decisions about consent that hold no more are kept %s", w.Keep),
	}}, nil
}

// forgetConsents deletes them.
func (j *Purge) forgetConsents(ctx context.Context, in Session, s Step) Outcome {
	key, err := j.Ledgers.Secret(ConsentLedgerName)
	if err != nil {
		return failed(s, err)
	}
	before := j.Policy.ConsentWindow().Keep.Before(in.AsOf, j.Policy.TimeZone.Location())
	decisions, left, err := j.Consents.ForgetConsents(ctx, before, in.AsOf, key)
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("purge.consents_forgotten")
	o := absent(s, left)
	if o.Result == sinks.ResultDone {
		o.Counts = map[sinks.Count]uint64{sinks.CountBefore: decisions}
		if decisions == 0 {
			o.Result = sinks.ResultUnchanged
		}
	}
	return o
}
