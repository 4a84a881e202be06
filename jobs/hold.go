package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// HoldChange places a legal hold, or releases one (C16, I6). The jobs leave out what is
// under a hold that is in force, and take it up by themselves afterwards.
type HoldChange struct {
	Policy   *config.Policy
	Register sinks.HoldRegister
	// Place is the hold to be placed; Subject and Organisation are whom it names, if it
	// names any. They go nowhere but into the register, which keeps keyed hashes.
	Place                 *sinks.Hold
	Subject, Organisation string
	// Release is the hold to be released, where none is placed, and By who says so.
	Release sinks.ID
	By      string
}

var _ Job = (*HoldChange)(nil)

// Kind implements Job.
func (*HoldChange) Kind() sinks.JobKind { return sinks.JobHold }

// Batch implements Job.
func (*HoldChange) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*HoldChange) Parallel() int { return 1 }

// Plan implements Job.
func (j *HoldChange) Plan(ctx context.Context, _ time.Time) ([]Step, error) {
	s := Step{Action: sinks.ActionPlaceHold, Reason: "a legal hold is placed"}
	if j.Place == nil {
		s.Action, s.Item, s.Reason = sinks.ActionReleaseHold, j.Release, "a legal hold is released"
		if err := j.checkRelease(ctx); err != nil {
			return nil, err
		}
	} else {
		s.Item, s.Dataset = j.Place.ID, j.Place.Dataset
		if err := j.checkPlace(); err != nil {
			return nil, err
		}
	}
	s.ID = sinks.HashID(string(s.Action), s.Item.String())
	return []Step{s}, nil
}

// checkPlace makes sure that what a hold names can be recognised where it applies.
func (j *HoldChange) checkPlace() error {
	h := j.Place
	switch {
	case h.Reason == "" || h.PlacedBy == "":
		return errors.New("a hold needs a reason, and somebody who orders it")
	case !h.To.IsZero() && !h.To.After(h.From):
		return errors.New("the hold's time ends before it begins")
	case !h.Until.IsZero() && !h.Until.After(h.PlacedAt):
		return fmt.Errorf("the hold would have ended already, at %s", h.Until.Format(time.RFC3339))
	case h.Dataset == sinks.QuarantineDataset && (h.BySubject || h.ByOrganisation):
		return errors.New("records in the quarantine could not be read, so nobody knows whom they are about: hold all of it, or a time of it")
	case h.Dataset == "" || h.Dataset == sinks.QuarantineDataset || h.Dataset == sinks.TrainingDataset:
		return nil
	}
	d, ok := j.Policy.Dataset(h.Dataset)
	if !ok {
		return fmt.Errorf("the policy has no dataset %q", h.Dataset)
	}
	if h.ByOrganisation && d.Organisation == "" {
		return fmt.Errorf("the policy does not say which column of %q holds the organisation; set organisation there", h.Dataset)
	}
	return nil
}

func (j *HoldChange) checkRelease(ctx context.Context) error {
	h, err := j.find(ctx, j.Release)
	switch {
	case err != nil:
		return err
	case h == nil:
		return fmt.Errorf("there is no hold %s; 'lapse hold list' shows them", j.Release)
	case j.By == "":
		return errors.New("say who releases the hold")
	}
	return nil
}

func (j *HoldChange) find(ctx context.Context, id sinks.ID) (*sinks.Hold, error) {
	holds, err := j.Register.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for i := range holds {
		if holds[i].ID == id {
			return &holds[i], nil
		}
	}
	return nil, nil
}

// Execute implements Job. What an interrupted change was about is not known any more,
// unless it was stored: then it is done, and else it has to be ordered again.
func (j *HoldChange) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	s := steps[0]
	var err error
	switch {
	case s.Action == sinks.ActionPlaceHold && j.Place != nil && s.Item == j.Place.ID:
		err = j.Register.PlaceHold(ctx, *j.Place, j.Subject, j.Organisation)
	case s.Action == sinks.ActionReleaseHold && j.Place == nil && s.Item == j.Release:
		err = j.Register.ReleaseHold(ctx, s.Item, j.By, in.AsOf)
	}
	if err != nil {
		return []Outcome{failed(s, err)}
	}
	h, err := j.find(ctx, s.Item)
	switch {
	case err != nil:
		return []Outcome{failed(s, err)}
	case h == nil, s.Action == sinks.ActionReleaseHold && h.ReleasedAt.IsZero():
		return []Outcome{{Step: s, Result: sinks.ResultAbandoned}}
	}
	return []Outcome{{Step: s, Result: sinks.ResultDone}}
}
