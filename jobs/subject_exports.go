package jobs

import (
	"fmt"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// planExports plans to delete the copies that were made for people and whose own window
// has passed.
func (j *Subject) planExports(now time.Time) (steps []Step, err error) {
	if j.Exports == nil {
		return nil, nil
	}
	files, err := j.Exports.List()
	if err != nil {
		return nil, err
	}
	rule := j.Policy.RequestRule()
	planned := map[sinks.ID]bool{}
	for _, f := range files {
		due := rule.Exports.After(f.Made, j.Policy.TimeZone.Location())
		if due.After(now) || planned[f.Request] {
			continue
		}
		planned[f.Request] = true
		steps = append(steps, Step{
			ID: sinks.HashID(string(sinks.ActionDeleteExport), f.Request.String()), Action: sinks.ActionDeleteExport, Item: f.Request,
			Clause: rule.Clause, Due: due, Bytes: uint64(f.Bytes), Reason: fmt.Sprintf("copies are kept %s", rule.Exports),
		})
	}
	return steps, nil
}

// deleteExports deletes copies.
func (j *Subject) deleteExports(steps []Step) []Outcome {
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		if j.Exports == nil { // somebody has removed all of them
			outcomes[i] = Outcome{Step: s, Result: sinks.ResultUnchanged}
			continue
		}
		left, err := j.Exports.Delete(s.Item)
		if err == nil && left {
			err = fmt.Errorf("%w: the copy is still there", sinks.ErrVerification)
		}
		if err != nil {
			outcomes[i] = failed(s, err)
			continue
		}
		outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountBytes: s.Bytes}}
		outcomes[i].reached(sinks.StageRemoved)
	}
	return outcomes
}
