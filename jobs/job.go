package jobs

import (
	"context"
	"iter"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Step is one piece of work that is due: what is done to what, by which rule.
type Step struct {
	ID        sinks.ID         `json:"id"` // the same whenever the same work is planned
	Action    sinks.Action     `json:"action"`
	Dataset   string           `json:"dataset,omitempty"`
	Partition *sinks.Partition `json:"partition,omitempty"`
	Bucket    string           `json:"bucket,omitempty"`
	Item      sinks.ID         `json:"item,omitzero"`
	Source    sinks.ID         `json:"source,omitzero"`
	Rule      sinks.Rule       `json:"rule,omitempty"`
	Clause    string           `json:"clause,omitempty"`
	Due       time.Time        `json:"due,omitzero"` // since when, UTC
	Reason    string           `json:"reason"`       // for people

	// What it was found to concern when it was planned; no part of its identity.
	Rows     uint64 `json:"rows,omitempty"`
	Subjects uint64 `json:"subjects,omitempty"` // distinct people
	Bytes    uint64 `json:"bytes,omitempty"`
	// Of the rows of the partition, those that stay: under a legal hold, or because the
	// window of their organisation has not passed.
	Held       uint64 `json:"held,omitempty"`
	KeptLonger uint64 `json:"kept_longer,omitempty"`
	// Blocked says why the step waits although it is due.
	Blocked string `json:"blocked,omitempty"`
	// Asks says that it waits for nothing but somebody's approval of the plan.
	Asks bool `json:"asks,omitempty"`
}

// DatasetName is the name by which people ask for what a step concerns: that of its
// dataset, or sinks.TrainingDataset.
func (s Step) DatasetName() string {
	if s.Dataset == "" {
		return sinks.TrainingDataset
	}
	return s.Dataset
}

// node is the node of a cluster that the step is done on, if it is done on one.
func (s Step) node() sinks.Node {
	if s.Partition == nil {
		return sinks.Node{}
	}
	return s.Partition.Node()
}

// Outcome is how a step ended.
type Outcome struct {
	Step   Step                   `json:"step"`
	Result sinks.Result           `json:"result"`
	Counts map[sinks.Count]uint64 `json:"counts,omitempty"`
	K      *sinks.KResult         `json:"k,omitempty"`
	Query  sinks.Digest           `json:"query,omitzero"`
	Stages []sinks.StageTime      `json:"stages,omitempty"`
	// LockedUntil says until when, at least, a store refuses to delete what the step
	// is to delete; zero if no store does, or for no fixed time.
	LockedUntil time.Time    `json:"locked_until,omitzero"`
	Err         error        `json:"-"`
	Object      sinks.Digest // of a purged item
	// Took is the step's share of the time of the batch that it was done in.
	Took time.Duration `json:"-"`
}

// reached notes that a stage was reached now.
func (o *Outcome) reached(s sinks.Stage) {
	o.Stages = append(o.Stages, sinks.StageTime{Stage: s, Time: time.Now().UTC().Truncate(time.Millisecond)})
}

// failed returns the outcome of a step that ended with err.
func failed(s Step, err error) Outcome {
	return Outcome{Step: s, Result: sinks.ResultFailed, Err: err}
}

// Job plans and executes one kind of work.
//
// Plan returns the steps that are due at now, in the order in which they should
// be done; steps come with an error if that met some of the datasets and not others. Execute carries out some of them at once and returns an outcome for
// each, in order; it may be asked again for a step that was interrupted, or that
// is done already, and then ends in the same state. Batch says how many of the
// steps, from the first, it wants to be given at once; Parallel says how many such
// batches may be executed side by side.
type Job interface {
	Kind() sinks.JobKind
	Plan(ctx context.Context, now time.Time) ([]Step, error)
	Batch(steps []Step) int
	Parallel() int
	Execute(ctx context.Context, in Session, steps []Step) []Outcome
}

// Portioned is a job that may have more to do than fits into memory. Portions yields
// what Plan returns a portion at a time, and finds each when the one before it has been
// carried out.
type Portioned interface {
	Job
	Portions(ctx context.Context, now time.Time) iter.Seq2[[]Step, error]
}

// portions yields what a job has to do.
func portions(ctx context.Context, job Job, now time.Time) iter.Seq2[[]Step, error] {
	if p, ok := job.(Portioned); ok {
		return p.Portions(ctx, now)
	}
	return func(yield func([]Step, error) bool) { yield(job.Plan(ctx, now)) }
}

// Session is what the steps of one run have in common.
type Session struct {
	Run  sinks.ID
	AsOf time.Time // the time the policy is evaluated for, UTC
}

// entry returns the audit entry for the step, without phase and run.
func (s Step) entry() (*sinks.Entry, error) {
	e := &sinks.Entry{
		Action: s.Action, Step: s.ID, Partition: s.Partition, Item: s.Item, Source: s.Source,
		Rule: s.Rule, Due: s.Due.UTC().Truncate(time.Millisecond),
	}
	for _, n := range []struct {
		name *sinks.Name
		text string
	}{{&e.Dataset, s.Dataset}, {&e.Bucket, s.Bucket}, {&e.Clause, clauseName(s.Clause)}} {
		if n.text == "" {
			continue
		}
		var err error
		if *n.name, err = sinks.ParseName(n.text); err != nil {
			return nil, err
		}
	}
	counts := map[sinks.Count]uint64{sinks.CountBefore: s.Rows, sinks.CountSubjects: s.Subjects, sinks.CountBytes: s.Bytes}
	e.Counts = withoutZeros(counts)
	return e, nil
}

// stepOf returns the step that an intent announced, as far as the entry tells.
func stepOf(e *sinks.Entry) Step {
	return Step{
		ID: e.Step, Action: e.Action, Dataset: e.Dataset.String(), Partition: e.Partition, Bucket: e.Bucket.String(),
		Item: e.Item, Source: e.Source, Rule: e.Rule, Clause: clauseOf(e.Clause), Due: e.Due,
		Reason: "an earlier run was interrupted here",
		Rows:   e.Counts[sinks.CountBefore], Subjects: e.Counts[sinks.CountSubjects], Bytes: e.Counts[sinks.CountBytes],
	}
}

func withoutZeros(counts map[sinks.Count]uint64) map[sinks.Count]uint64 {
	for k, v := range counts {
		if v == 0 {
			delete(counts, k)
		}
	}
	if len(counts) == 0 {
		return nil
	}
	return counts
}
