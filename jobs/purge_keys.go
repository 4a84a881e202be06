package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// planKeys plans the destruction of the keys whose pseudonyms' records are all past
// their windows. A key waits for what is left of those records: as long as somebody
// may have to be found among them, because of a hold or because they have not been
// published yet, the key is needed.
func (j *Purge) planKeys(ctx context.Context, now time.Time) ([]Step, error) {
	if j.Keys == nil {
		return nil, nil
	}
	periods, err := j.Keys.Periods()
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, p := range periods {
		due := j.keyDue(p)
		if due.After(now) {
			continue
		}
		held, err := j.heldUnder(ctx, p)
		if err != nil {
			return nil, err
		}
		if held > 0 {
			continue
		}
		steps = append(steps, Step{
			ID:     sinks.HashID(j.Policy.Name, j.Policy.Version, string(sinks.ActionDestroyKey), p.String(), due.Format(time.RFC3339)),
			Action: sinks.ActionDestroyKey, Partition: &sinks.Partition{Day: p.First}, Rule: sinks.RuleEventTime,
			Clause: j.pseudonymClause(), Due: due,
			Reason: fmt.Sprintf("the records with pseudonyms of %s to %s are gone", p.First, p.Last()),
		})
	}
	return steps, nil
}

// keyDue returns since when the windows of a period's pseudonyms have passed.
func (j *Purge) keyDue(p sinks.KeyPeriod) time.Time {
	due := p.Last().End() // that is all where the policy has pseudonyms no more
	for _, w := range j.pseudonymWindows() {
		if at := dueAt(w, p.Last(), j.Policy.TimeZone.Location()); at.After(due) {
			due = at
		}
	}
	return due
}

// pseudonymWindows returns the windows of the datasets that derive pseudonyms, by
// dataset.
func (j *Purge) pseudonymWindows() map[string]*config.Window {
	windows := map[string]*config.Window{}
	for i := range j.Policy.Datasets {
		d := &j.Policy.Datasets[i]
		if w, ok := d.Window(config.EventTime); ok && d.DerivesPseudonyms() {
			windows[d.Name] = w
		}
	}
	return windows
}

func (j *Purge) pseudonymClause() string {
	if j.Policy.Pseudonyms == nil {
		return j.Policy.Quarantine.Clause
	}
	return j.Policy.Pseudonyms.Clause
}

// heldUnder counts the personal rows of a period that have pseudonyms.
func (j *Purge) heldUnder(ctx context.Context, p sinks.KeyPeriod) (rows uint64, err error) {
	for dataset := range j.pseudonymWindows() {
		stats, err := j.Personal.Partitions(ctx, dataset, p.Last()+1)
		if err != nil {
			return 0, fmt.Errorf("plan keys: %w", err)
		}
		for _, s := range stats {
			if s.Day >= p.First {
				rows += s.Rows
			}
		}
	}
	return rows, nil
}

// destroyKey destroys the keys of a step.
func (j *Purge) destroyKey(in Session, s Step) Outcome {
	if j.Keys == nil {
		return failed(s, fmt.Errorf("%w: there is no keyring", sinks.ErrUnavailable))
	}
	return destroyKeys(j.Keys, j.keyDue, in, s)
}
