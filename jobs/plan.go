package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Plan is what was decided to be done: the steps that were due as of a time, by
// one version of the policy. A person reads and approves it; what is applied is
// held against it (I10).
type Plan struct {
	AsOf   time.Time       `json:"as_of"`
	Policy sinks.PolicyRef `json:"policy"`
	Steps  []Step          `json:"steps"`
	Hash   sinks.Digest    `json:"hash"` // SHA-256 of the rest, as JSON
}

// ErrDrifted means that an approved plan no longer fits what it was made for.
var ErrDrifted = errors.New("the approved plan no longer holds")

// NewPlan returns the plan of steps.
func NewPlan(p *config.Policy, asOf time.Time, steps []Step) (*Plan, error) {
	plan := &Plan{AsOf: asOf.UTC().Truncate(time.Millisecond), Policy: PolicyRef(p), Steps: steps}
	var err error
	plan.Hash, err = plan.digest()
	return plan, err
}

// ParsePlan reads a plan as it was written, and checks that nobody has changed it
// since.
func ParsePlan(raw []byte) (*Plan, error) {
	var plan Plan
	if err := json.Unmarshal(raw, &plan); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	digest, err := plan.digest()
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if plan.Hash != digest {
		return nil, fmt.Errorf("%w: its hash is %s and it says %s: it was changed after it was made", ErrDrifted, digest, plan.Hash)
	}
	return &plan, nil
}

func (p *Plan) digest() (sinks.Digest, error) {
	rest := *p
	rest.Hash = sinks.Digest{}
	raw, err := json.Marshal(rest)
	return sha256.Sum256(raw), err
}

// hold returns, of the steps that are due now, those that were approved. Steps of
// the plan that are due no more have been done since. An error says what has
// changed: the policy, or a step's rows by more than tolerance (a share: 0.05 is
// one row in twenty).
func (p *Plan) hold(current sinks.PolicyRef, due []Step, tolerance float64) ([]Step, error) {
	if p.Policy.Hash != current.Hash {
		return nil, fmt.Errorf("%w: it was made for version %s of the policy, with another hash than today's", ErrDrifted, p.Policy.Version)
	}
	approved := make(map[sinks.ID]*Step, len(p.Steps))
	for i := range p.Steps {
		approved[p.Steps[i].ID] = &p.Steps[i]
	}
	var steps []Step
	for _, s := range due {
		then := approved[s.ID]
		if then == nil {
			continue
		}
		if change := difference(s.Rows, then.Rows); float64(change) > tolerance*float64(then.Rows) {
			return nil, fmt.Errorf("%w: %s concerned %d rows and now concerns %d; make a new plan, or allow for it with a tolerance", ErrDrifted, s.target(), then.Rows, s.Rows)
		}
		if s.Asks {
			s.Asks, s.Blocked = false, ""
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func difference(a, b uint64) uint64 {
	if a < b {
		return b - a
	}
	return a - b
}

// askAboveShare blocks the steps of a dataset that together would take a larger
// share of its rows than the policy lets pass without approval.
func askAboveShare(ctx context.Context, tables sinks.PersonalTables, d *config.Dataset, steps []Step) error {
	if d.MaxShare == 0 || len(steps) == 0 {
		return nil
	}
	all, err := tables.Partitions(ctx, d.Name, sinks.MaxDay)
	if err != nil && len(all) == 0 { // fewer than there are make the share larger
		return fmt.Errorf("plan %s: %w", d.Name, err)
	}
	var total, taken uint64
	for _, p := range all {
		total += p.Rows
	}
	for _, s := range steps {
		taken += s.Rows
	}
	if total == 0 || float64(taken) <= d.MaxShare*float64(total) {
		return nil
	}
	for i := range steps {
		if s := &steps[i]; s.Blocked == "" {
			s.Asks = true
			s.Blocked = fmt.Sprintf("%d of %d rows of %s would go, more than the max_share of %g: write the plan to a file, look at it, and run with --plan", taken, total, d.Name, d.MaxShare)
		}
	}
	return nil
}
