package jobs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Dispose gets rid of input files once every record in them is accounted for: it
// deletes or moves them as the policy says, deletes moved ones later, and deletes
// what Lapse has collected itself. A file that has changed since it was ingested is
// left for the next ingest.
type Dispose struct {
	Policy *config.Policy
	Inputs sinks.DisposableInputs
	Ledger sinks.SourceLedger

	files map[sinks.ID]disposal // by step
}

// disposal is what is done with a file.
type disposal struct {
	file sinks.InputFile
	move bool
}

var _ Job = (*Dispose)(nil)

// disposeTogether is how many files are disposed of between two entries in the audit
// log.
const disposeTogether = 256

// Kind implements Job.
func (*Dispose) Kind() sinks.JobKind { return sinks.JobDispose }

// Batch implements Job.
func (*Dispose) Batch(steps []Step) int { return min(len(steps), disposeTogether) }

// Parallel implements Job.
func (*Dispose) Parallel() int { return 1 }

// Plan implements Job. It reads every file that may have to go, to know its content.
func (j *Dispose) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	j.files = map[sinks.ID]disposal{}
	files, err := j.Inputs.List(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	rule := j.Policy.Disposal()
	for _, f := range files {
		if rule == config.KeepFile && !f.Own {
			continue
		}
		s, ok, err := j.ingested(ctx, f)
		if err != nil {
			return nil, err
		}
		if ok {
			j.files[s.ID] = disposal{f, rule == config.MoveFile && !f.Own}
			steps = append(steps, s)
		}
	}
	more, err := j.planProcessed(ctx, now)
	return append(steps, more...), err
}

// ingested plans a file, if all of it is accounted for.
func (j *Dispose) ingested(ctx context.Context, f sinks.InputFile) (s Step, ok bool, err error) {
	digest, err := contentDigest(ctx, j.Inputs, f)
	if errors.Is(err, sinks.ErrSourceMissing) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	known, found, err := j.Ledger.Source(ctx, digest)
	if err != nil || !found || known.State != sinks.SourceComplete {
		return s, false, err
	}
	return j.step(f, digest, "all of it is accounted for"), true, nil
}

// planProcessed plans the moved files that have been kept long enough, whatever the
// policy says about others by now.
func (j *Dispose) planProcessed(ctx context.Context, now time.Time) ([]Step, error) {
	processed, err := j.Inputs.Processed(ctx)
	if err != nil {
		return nil, err
	}
	var keep config.Period
	if j.Policy.InputFiles != nil {
		keep = j.Policy.InputFiles.Keep
	}
	var steps []Step
	for _, p := range processed {
		due := keep.After(p.On.End(), j.Policy.TimeZone.Location())
		if due.After(now) {
			continue
		}
		digest, err := contentDigest(ctx, j.Inputs, p.InputFile)
		if err != nil {
			return nil, err
		}
		s := j.step(p.InputFile, digest, fmt.Sprintf("was moved on %s and kept %s", p.On, keep))
		s.Due = due
		j.files[s.ID] = disposal{file: p.InputFile}
		steps = append(steps, s)
	}
	return steps, nil
}

func (j *Dispose) step(f sinks.InputFile, digest sinks.ID, reason string) Step {
	clause := j.Policy.Quarantine.Clause
	if j.Policy.InputFiles != nil {
		clause = j.Policy.InputFiles.Clause
	}
	return Step{
		ID: sinks.HashID(string(sinks.ActionDisposeSource), digest.String(), f.Path), Action: sinks.ActionDisposeSource,
		Source: digest, Bytes: uint64(f.Bytes), Rule: sinks.RuleIngested, Clause: clause, Reason: f.Path + ": " + reason,
	}
}

// Execute implements Job.
func (j *Dispose) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	outcomes := make([]Outcome, len(steps))
	for i, s := range steps {
		o, err := j.dispose(ctx, in, s)
		if err != nil {
			o = failed(s, err)
		}
		outcomes[i] = o
	}
	return outcomes
}

func (j *Dispose) dispose(ctx context.Context, in Session, s Step) (Outcome, error) {
	o := Outcome{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountObjects: 1, sinks.CountBytes: s.Bytes}}
	d, planned := j.files[s.ID]
	if !planned { // an earlier run announced it, and it is not there any more
		o.Result, o.Counts = sinks.ResultUnchanged, nil
		o.reached(sinks.StageRemoved)
		return o, nil
	}
	switch digest, err := contentDigest(ctx, j.Inputs, d.file); {
	case err != nil:
		return o, err
	case digest != s.Source:
		return o, fmt.Errorf("%w: it has changed since it was ingested", sinks.ErrConflict)
	}
	if d.move {
		name := s.Source.String() + "-" + path.Base(filepath.ToSlash(d.file.Path))
		if err := j.Inputs.Move(ctx, d.file, sinks.DayOf(in.AsOf), name); err != nil {
			return o, err
		}
		sinks.Failpoint("dispose.moved")
		o.reached(sinks.StageHidden)
		return o, nil
	}
	if err := j.Inputs.Remove(ctx, d.file); err != nil {
		return o, err
	}
	sinks.Failpoint("dispose.removed")
	o.reached(sinks.StageRemoved)
	o.reached(sinks.StageGone)
	return o, nil
}
