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

// ErasureKeys are the keys of the erasure ledger. The people of each period are entered
// under a key of their own. It is destroyed when the policy's window since the period's end
// has passed (requests.erasures): then they are recognised no more, while those who were
// erased since still are.
type ErasureKeys struct {
	Policy  *config.Policy
	Keyring sinks.Keyring
}

// Period returns the period that a time belongs to: a year, or a month where the window
// is shorter than a year.
func (k ErasureKeys) Period(at time.Time) sinks.KeyPeriod {
	unit, window, day := sinks.KeyYear, k.Policy.RequestRule().Erasures, sinks.Day(0).Start()
	if year := config.MustPeriod("P1Y"); !window.IsZero() && window.After(day, time.UTC).Before(year.After(day, time.UTC)) {
		unit = sinks.KeyMonth
	}
	return sinks.KeyPeriodOf(unit, sinks.DayOf(at))
}

// At returns the key under which people are entered at a time. It is made if there is none.
func (k ErasureKeys) At(at time.Time) (sinks.LedgerKey, error) {
	key, err := k.Keyring.Key(k.Period(at))
	return sinks.LedgerKey(key), err
}

// All returns the keys under which somebody may have been entered.
func (k ErasureKeys) All() (keys []sinks.LedgerKey, err error) {
	periods, err := k.Keyring.Periods()
	if err != nil {
		return nil, err
	}
	for _, p := range periods {
		key, err := k.Keyring.Key(p)
		if errors.Is(err, sinks.ErrDestroyed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, sinks.LedgerKey(key))
	}
	return keys, nil
}

// due returns since when a period's key is to be destroyed; never if the policy does not
// say.
func (k ErasureKeys) due(p sinks.KeyPeriod) time.Time {
	window := k.Policy.RequestRule().Erasures
	if window.IsZero() {
		return sinks.MaxDay.End()
	}
	return window.After(p.Last().End(), k.Policy.TimeZone.Location())
}

// planLedgerKeys plans to destroy the keys of the erasure ledger that are due. Somebody who
// is not erased wholly yet has to be known again.
func (j *Subject) planLedgerKeys(ctx context.Context, now time.Time) (steps []Step, err error) {
	periods, err := j.Keys.Keyring.Periods()
	if err != nil {
		return nil, err
	}
	periods = slices.DeleteFunc(periods, func(p sinks.KeyPeriod) bool { return j.Keys.due(p).After(now) })
	if len(periods) == 0 {
		return nil, nil
	}
	executing, err := j.erasures(ctx, sinks.RequestExecuting)
	if err != nil {
		return nil, err
	}
	for _, p := range periods {
		if slices.ContainsFunc(executing, func(r sinks.Request) bool {
			entered := sinks.DayOf(r.Since())
			return p.First <= entered && entered <= p.Last()
		}) {
			continue
		}
		rule := j.Policy.RequestRule()
		steps = append(steps, Step{
			ID: sinks.HashID(string(sinks.ActionDestroyKey), "erasures", p.String()), Action: sinks.ActionDestroyKey, Rule: sinks.RuleErasure,
			Partition: &sinks.Partition{Day: p.First}, Clause: rule.Clause, Due: j.Keys.due(p),
			Reason: fmt.Sprintf("who was erased from %s to %s is known again for %s after that", p.First, p.Last(), rule.Erasures),
		})
	}
	return steps, nil
}

// destroyKeys destroys the keys of the periods that begin on the step's day and are due.
func destroyKeys(keys sinks.Keyring, due func(sinks.KeyPeriod) time.Time, in Session, s Step) Outcome {
	dueKeys := func() ([]sinks.KeyPeriod, error) {
		periods, err := keys.Periods()
		return slices.DeleteFunc(periods, func(p sinks.KeyPeriod) bool {
			return p.First != s.Partition.Day || due(p).After(in.AsOf)
		}), err
	}
	found, err := dueKeys()
	for _, p := range found {
		err = errors.Join(err, keys.Destroy(p))
	}
	if err != nil {
		return failed(s, err)
	}
	sinks.Failpoint("key.destroyed")
	left, err := dueKeys()
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: the key is still there", sinks.ErrVerification)
	}
	if err != nil {
		return failed(s, err)
	}
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountObjects: uint64(len(found))}}
	if len(found) == 0 {
		o.Result = sinks.ResultUnchanged
	}
	o.reached(sinks.StageRemoved)
	o.reached(sinks.StageGone)
	return o
}
