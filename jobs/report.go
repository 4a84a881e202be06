package jobs

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/sinks"
)

// Report is how a run ended.
type Report struct {
	Run     sinks.ID      `json:"run"`
	Job     sinks.JobKind `json:"job"`
	AsOf    time.Time     `json:"as_of"`
	Started time.Time     `json:"started"`
	Ended   time.Time     `json:"ended"`
	Result  sinks.Result  `json:"result"`
	Steps   int           `json:"steps"`
	Failed  int           `json:"failed"`
	Waiting int           `json:"waiting,omitempty"` // steps that are due, but must wait
	Blocked []Step        `json:"blocked,omitempty"` // those, as many as are told
	Left    int           `json:"left,omitempty"`    // steps that are due and that the approved plan does not have
	// Unplanned is how many datasets could not be planned, while others could.
	Unplanned int `json:"unplanned,omitempty"`
	// Sums are of all steps, those of a kind together. Outcomes are of single steps, as
	// many as are told, and as many again of those that failed.
	Sums     []Sum     `json:"sums,omitempty"`
	Outcomes []Outcome `json:"outcomes,omitempty"`
	// Unwanted is how often fields came that no purpose of the policy covers.
	Unwanted map[string]uint64 `json:"unwanted,omitempty"`
	// Then is what was done with input files after they were ingested.
	Then *Report `json:"then,omitempty"`
	// Findings are what a reconciliation found, as many as are told.
	Findings []Finding `json:"findings,omitempty"`
}

// Sum is what the steps of a kind came to.
type Sum struct {
	Action  sinks.Action           `json:"action"`
	Dataset string                 `json:"dataset,omitempty"`
	Bucket  string                 `json:"bucket,omitempty"`
	Rule    sinks.Rule             `json:"rule,omitempty"`
	Result  sinks.Result           `json:"result"`
	Steps   int                    `json:"steps"`
	Counts  map[sinks.Count]uint64 `json:"counts,omitempty"`
}

// What is told one by one is bounded, so that memory is; the sums are of all.
const (
	told       = 10_000 // steps
	toldErrors = 100
)

// Counts returns the sums of all steps.
func (r *Report) Counts() map[sinks.Count]uint64 {
	counts := map[sinks.Count]uint64{}
	for _, s := range r.Sums {
		for name, n := range s.Counts {
			counts[name] += n
		}
	}
	return counts
}

// Did reports whether the run took steps of a kind.
func (r *Report) Did(action sinks.Action) bool {
	return slices.ContainsFunc(r.Sums, func(s Sum) bool { return s.Action == action })
}

// add adds an outcome to the sum of its kind. There are few kinds.
func (r *Report) add(o *Outcome) {
	kind := func(s Sum) bool {
		return s.Action == o.Step.Action && s.Dataset == o.Step.Dataset && s.Bucket == o.Step.Bucket && s.Rule == o.Step.Rule && s.Result == o.Result
	}
	i := slices.IndexFunc(r.Sums, kind)
	if i < 0 {
		i = len(r.Sums)
		r.Sums = append(r.Sums, Sum{
			Action: o.Step.Action, Dataset: o.Step.Dataset, Bucket: o.Step.Bucket, Rule: o.Step.Rule, Result: o.Result,
			Counts: map[sinks.Count]uint64{},
		})
	}
	s := &r.Sums[i]
	s.Steps++
	for name, n := range o.Counts {
		s.Counts[name] += n
	}
}

// note adds an outcome to the report.
func (n *run) note(o *Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.report
	r.Steps++
	r.add(o)
	if o.Err != nil {
		r.Failed++
		n.fail(fmt.Errorf("%s: %w", o.Step.target(), o.Err))
	}
	switch {
	case o.Err != nil && n.failed < told:
		n.failed++
		r.Outcomes = append(r.Outcomes, *o)
	case o.Err == nil && len(r.Outcomes)-n.failed < told:
		r.Outcomes = append(r.Outcomes, *o)
	}
	n.observe(Event{Done: o})
}

// fail notes an error that does not end the run.
func (n *run) fail(err error) {
	if n.errs != nil && len(n.errs.Errors) >= toldErrors {
		n.untold++
		return
	}
	n.errs = multierror.Append(n.errs, err)
}

// failures returns what failed; nil if nothing did.
func (n *run) failures() error {
	if n.untold > 0 {
		return multierror.Append(n.errs, fmt.Errorf("and %d more", n.untold))
	}
	return n.errs.ErrorOrNil()
}
