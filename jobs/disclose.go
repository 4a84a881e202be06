package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Disclose gives data to a class of recipients that the policy names (C11), where it may
// go (C10), and remembers it.
type Disclose struct {
	Policy     *config.Policy
	Register   sinks.DisclosureRegister
	Disclosure sinks.Disclosure
	// Write writes the data to where they go, and returns how many rows they were. If it
	// fails, nothing may be left there.
	Write func(ctx context.Context) (rows uint64, err error)
}

var _ Job = (*Disclose)(nil)

// ErrMayNotDisclose means that the policy does not allow a disclosure; the error says why.
var ErrMayNotDisclose = errors.New("the policy does not allow it")

// CheckDisclosure returns why the policy does not allow a disclosure.
func CheckDisclosure(p *config.Policy, d *sinks.Disclosure) error {
	if _, known := p.Recipient(d.Recipient); !known {
		return fmt.Errorf("%w: it names no class of recipients %q; add it under recipients, because people have to be told", ErrMayNotDisclose, d.Recipient)
	}
	if !p.RegionAllowed(d.Region, d.Safeguard) {
		return fmt.Errorf("%w: data may lie in %v; to %q they may go under one of its safeguards only: %v", ErrMayNotDisclose, p.Regions.Allowed, d.Region, p.Regions.Safeguards)
	}
	if d.Reason == "" {
		return fmt.Errorf("%w without a reason", ErrMayNotDisclose)
	}
	return nil
}

// Kind implements Job.
func (*Disclose) Kind() sinks.JobKind { return sinks.JobDisclose }

// Batch implements Job.
func (*Disclose) Batch([]Step) int { return 1 }

// Parallel implements Job.
func (*Disclose) Parallel() int { return 1 }

// Plan implements Job.
func (j *Disclose) Plan(context.Context, time.Time) ([]Step, error) {
	if err := CheckDisclosure(j.Policy, &j.Disclosure); err != nil {
		return nil, err
	}
	recipient, _ := j.Policy.Recipient(j.Disclosure.Recipient)
	return []Step{{
		ID: sinks.HashID(string(sinks.ActionDisclose), j.Disclosure.ID.String()), Action: sinks.ActionDisclose, Dataset: j.Disclosure.Dataset,
		Item: j.Disclosure.ID, Clause: recipient.Clause, Reason: "for " + recipient.ID,
	}}, nil
}

// Execute implements Job. Whether what an interrupted run was writing has reached
// anybody is not known, so its step is given up and stays on record.
func (j *Disclose) Execute(ctx context.Context, _ Session, steps []Step) []Outcome {
	s := steps[0]
	if s.Item != j.Disclosure.ID {
		return []Outcome{{Step: s, Result: sinks.ResultAbandoned}}
	}
	rows, err := j.Write(ctx)
	if err != nil {
		return failAll(steps, err)
	}
	j.Disclosure.Rows, j.Disclosure.Disclosed = rows, time.Now().UTC().Truncate(time.Millisecond)
	if err := j.Register.RecordDisclosure(ctx, j.Disclosure); err != nil {
		return failAll(steps, err)
	}
	return []Outcome{{Step: s, Result: sinks.ResultDone, Counts: map[sinks.Count]uint64{sinks.CountRead: rows}}}
}
